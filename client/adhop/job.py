"""A job on the server, and its results."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from rich.table import Table

from adhop import frames, tables, words
from adhop.connection import Connection
from adhop.console import console
from adhop.errors import JobCancelled, JobFailed
from adhop.progress import Progress
from adhop.system import System

_RARER, _RAREST_S = 60.0, 10.0
"""A job that has taken an hour isn't missed for ten seconds."""
ENDED = frozenset({"succeeded", "failed", "cancelled"})


class Job:
    """What the server last said of a job. `refresh` asks again; `wait` asks until it has ended."""

    def __init__(self, connection: Connection, body: dict[str, Any]) -> None:
        self._connection = connection
        self._body = body
        self._tag: str | None = None
        """Names the body, where the server said how."""
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"Job({self.id}, {self.state}: {self._body['adsorbate']} on {self._body['surface']})"

    @property
    def id(self) -> str:
        return str(self._body["id"])

    @property
    def state(self) -> str:
        """queued, running, succeeded, failed or cancelled."""
        return str(self._body["state"])

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def warnings(self) -> list[str]:
        """What was ignored, simplified or decided for you, when the job was read and in the search."""
        return list(self._body.get("warnings") or ())

    def tell_warnings(self) -> Job:
        """Print to standard error those that were not printed before, as `Client.submit` and `wait` do."""
        for warning in self.warnings:
            if warning not in self._told:
                console(stderr=True).print(f"note: {warning}", soft_wrap=True)
        self._told.update(self.warnings)
        return self

    @property
    def body(self) -> dict[str, Any]:
        """All of the server's last answer."""
        return self._whole()

    def refresh(self) -> Job:
        """What the server says now; an answer that is still the last one isn't sent again."""
        body, self._tag = self._connection.newer(f"/v1/jobs/{self.id}", self._tag)
        self._body = self._body if body is None else body
        return self

    def _whole(self) -> dict[str, Any]:
        """Of a job that was submitted with many others little was told."""
        return self._body if "progress" in self._body else self.refresh()._body

    def wait(self, *, progress: bool = True, interval_s: float = 1.0, timeout_s: float | None = None) -> Job:
        """Until the job has ended, with a live panel (plain lines where the output is no terminal). It is asked about every
        interval_s, and less often the longer it takes: after ten minutes every ten seconds, where the interval isn't longer.

        Raises JobFailed, JobCancelled, and TimeoutError after timeout_s; the job itself goes on then.
        """
        began = time.monotonic()
        until = None if timeout_s is None else began + timeout_s
        with Progress(enabled=progress) as panel:
            panel.show(self._whole())
            while not self.ended:
                if until is not None and time.monotonic() > until:
                    raise TimeoutError(f"job {self.id} has not ended after {timeout_s:.0f} s; it goes on")
                waited = time.monotonic() - began
                time.sleep(max(interval_s, min(waited / _RARER, _RAREST_S)))
                self.refresh()
                panel.show(self._body)
        self.tell_warnings()
        if self.state == "cancelled":
            raise JobCancelled(f"job {self.id} was cancelled")
        if self.state == "failed":
            failure = self._body.get("failure") or {}
            raise JobFailed(
                f"job {self.id} failed: {failure.get('reason') or failure.get('kind') or 'no reason given'}"
            )
        return self

    def cancel(self) -> Job:
        """Stop the job; what it found so far stays."""
        self._body, self._tag = self._connection.request("DELETE", f"/v1/jobs/{self.id}"), None
        return self

    def share(self, group: str | None) -> Job:
        """Let one of your groups read the job; None: nobody but you."""
        self._body, self._tag = self._connection.request("PATCH", f"/v1/jobs/{self.id}", json={"group": group}), None
        return self

    def delete(self, *, with_labels: bool = False) -> None:
        """Delete the job, which has ended, with all that it found; there is no way back. with_labels: reference energies fed back for
        its candidates, which calibrations learn from, may go too."""
        params = {"with_labels": True} if with_labels else None
        self._connection.request("DELETE", f"/v1/jobs/{self.id}/data", params=params)

    def system(self) -> System:
        """What was understood of the submission: slab, placements, references, cost, warnings."""
        path = f"/v1/jobs/{self.id}/system"
        return System(lambda form: self._connection.request("GET", path, params={"format": form}))

    def candidates(self, *, selection: int = 0) -> list[dict[str, Any]]:
        """Every candidate so far, as the server tells it, with the verdict of a selection."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            params: dict[str, Any] = {"selection": selection, "limit": 200} | ({"cursor": cursor} if cursor else {})
            page = self._connection.request("GET", f"/v1/jobs/{self.id}/candidates", params=params)
            found += page["candidates"]
            cursor = page["next"]
            if cursor is None:
                return found

    def select(
        self,
        *,
        members: str | Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
        spread: str | None = None,
        limit: float | str | None = None,
        functional: str | None = None,
        calibration: int | None = None,
        count: int | None = None,
        window: float | None = None,
        include_anomalous: bool | None = None,
    ) -> dict[str, Any]:
        """Score and choose again among what the job found, with no new search; what isn't given is as the job has it.

        limit: of the spread, eV, or "calibrated". calibration: by its number, a published one or a proposal of your own; without it
        a calibrated limit is that in force. window: eV above the lowest. The answer holds its `number`, for
        `minima(selection=...)`, and its minima; the job's own answer stays.
        """
        asked = {
            "members": words.names(members),
            "weights": None if weights is None else dict(weights),
            "spread": spread,
            "limit": limit,
            "functional": functional,
            "calibration": calibration,
            "count": count,
            "window": window,
            "include_anomalous": include_anomalous,
        }
        body = {name: value for name, value in asked.items() if value is not None}
        answer: dict[str, Any] = self._connection.request("POST", f"/v1/jobs/{self.id}/selections", json=body)
        return answer

    def selections(self) -> list[dict[str, Any]]:
        """The job's own selection (number 0) and those asked for since, with their rules."""
        found: list[dict[str, Any]] = self._connection.request("GET", f"/v1/jobs/{self.id}/selections")["selections"]
        return found

    def delete_selection(self, number: int) -> None:
        """Delete a selection that was asked for; the job's own, number 0, stays."""
        self._connection.request("DELETE", f"/v1/jobs/{self.id}/selections/{number}")

    def minima_body(self, *, selection: int = 0) -> dict[str, Any]:
        """The chosen minima as the server tells them, with the reference and unit of their energies."""
        params = {"selection": selection}
        body: dict[str, Any] = self._connection.request("GET", f"/v1/jobs/{self.id}/minima", params=params)
        return body

    def minima(self, *, selection: int = 0) -> list[Atoms]:
        """The chosen minima, lowest first; `structures` says what each one's info and calc hold."""
        return self.structures(all=False, selection=selection)

    def structures(self, *, all: bool = True, selection: int = 0) -> list[Atoms]:
        """The chosen minima, lowest first, and after them all other candidates, lowest mean first; the chosen ones alone with
        all=False. Atoms are in the order of the adslab that was submitted; where none was, the slab's come first.

        atoms.info: job, candidate (ids), rank (None where it wasn't chosen), site, verdict, anomalies, converged, found_by (the
        member that searched), hop, bare_energy; mean, std, range and `adsorption_energy_<member>`, eV, relative to `reference`; and
        `energy_<member>`, the total energy, eV, by each member that predicts totals (of its own geometry where it relaxed the
        candidate before it scored it: `candidates` tells for how many steps and how far).

        atoms.calc: the bare energy, eV, by the member that found it (`found_by`), restraints left out, as `bare_energy`: a total
        energy where that member predicts totals (there is `energy_<found_by>` then), otherwise what it predicts, an adsorption
        energy. Forces are not stored.
        """
        body, others = self._with_others(all, selection)
        told = {"job": self.id, "reference": body["reference"], "unit": body["unit"]}
        return [frames.atoms(finding, **told) for finding in (*body["minima"], *others)]

    def dft_inputs(self, path: str | Path, *, code: str = "vasp", selection: int = 0) -> Path:
        """Write a zip with the chosen minima, the clean slab and the gas molecules as inputs with OC20's settings (RPBE, 350 eV),
        for "vasp" or "espresso", or as "extxyz" alone. No pseudopotentials. `Client.feed_back` takes the energies."""
        params = {"code": code, "selection": selection}
        packed = self._connection.request("GET", f"/v1/jobs/{self.id}/dft-inputs", params=params)
        Path(path).write_bytes(packed)
        return Path(path)

    def table(self, *, rest: bool = False, selection: int = 0) -> Table:
        """The minima as a rich table: rank, site, each member's adsorption energy, mean, std, range, verdict. eV.

        rest: below them all other candidates, each with why it wasn't chosen.
        """
        body, others = self._with_others(rest, selection)
        title = f"Minima of {self._body['adsorbate']} on {self._body['surface']}"
        return tables.table(title + (f", selection {selection}" if selection else ""), body, others)

    def _with_others(self, rest: bool, selection: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        body = self.minima_body(selection=selection)
        return body, tables.others(self.candidates(selection=selection), body["minima"]) if rest else []

    def print_minima(self, *, rest: bool = False, selection: int = 0) -> None:
        """Show the table."""
        console().print(self.table(rest=rest, selection=selection))

    def to_csv(self, path: str | Path | None = None, *, rest: bool = False, selection: int = 0) -> str:
        """The minima as CSV text, written to `path` if given; units stand in the header. rest: all other candidates too."""
        text = tables.csv_text(*self._with_others(rest, selection))
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def to_extxyz(self, path: str | Path | None = None, *, rest: bool = False, selection: int = 0) -> str:
        """The minima as extended XYZ, written to `path` if given: one frame each with what `structures` tells. rest: all other
        candidates too. `Client.feed_back` reads it once frames have an `adsorption_energy`, or energies by DFT."""
        text = frames.text(self.structures(all=rest, selection=selection))
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text
