"""What a lab shares: reference energies that are fed back, calibrations learned from them, references that jobs rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adhop import feedback, words
from adhop.connection import Connection
from adhop.submission import present


class Lab(Connection):
    """That part of a server. Energies in eV."""

    def feed_back(
        self,
        path: str | Path,
        *,
        functional: str | None = None,
        code: str | None = None,
        provenance: str = "",
    ) -> list[dict[str, Any]]:
        """Hand reference energies (DFT, as a rule) back from a file: the filled-in energies.csv of a hand-off, a table, or extxyz
        (see adhop.feedback). functional and code stand for all rows that don't name their own."""
        bodies = feedback.read(Path(path), functional=functional, code=code, provenance=provenance or str(path))
        return [self.request("POST", _energies(candidate), json=body) for candidate, body in bodies]

    def reference_energies(self, candidate: int) -> list[dict[str, Any]]:
        """What was fed back for a candidate, the newest first."""
        found: list[dict[str, Any]] = self.request("GET", _energies(candidate))["reference_energies"]
        return found

    def delete_reference_energy(self, candidate: int, number: int) -> None:
        """Delete a reference energy by its `id`; the newest that is left of its functional counts then."""
        self.request("DELETE", f"{_energies(candidate)}/{number}")

    def calibrate(
        self,
        members: str | Sequence[str],
        *,
        functional: str = "RPBE",
        spread: str = "std",
        target_share: float = 0.9,
        target_error: float = 0.1,
    ) -> dict[str, Any]:
        """Learn the limit of the spread for these members from all reference energies of a functional. It is your own proposal:
        choose by it with `Job.select(calibration=NUMBER)`, and tell an administrator its number if it is to hold for all."""
        body = {
            "members": words.names(members),
            "functional": functional,
            "spread": spread,
            "target_share": target_share,
            "target_error": target_error,
        }
        answer: dict[str, Any] = self.request("POST", "/v1/calibrations", json=body)
        return answer

    def calibrations(self, *, state: str | None = None) -> list[dict[str, Any]]:
        """Calibrations that are or were in force and your own proposals, the newest first. state: `proposed`, `published` or
        `withdrawn`."""
        answer = self.request("GET", "/v1/calibrations", params=present(state=state))
        found: list[dict[str, Any]] = answer["calibrations"]
        return found

    def publish_calibration(self, number: int) -> dict[str, Any]:
        """Put a calibration in force for all who ask for `limit: calibrated`; for administrators."""
        answer: dict[str, Any] = self.request("POST", f"/v1/calibrations/{number}/publish")
        return answer

    def withdraw_calibration(self, number: int) -> dict[str, Any]:
        """Take a calibration out of force; for administrators."""
        answer: dict[str, Any] = self.request("POST", f"/v1/calibrations/{number}/withdraw")
        return answer

    def delete_calibration(self, number: int) -> None:
        """Delete a proposal that nothing was chosen by."""
        self.request("DELETE", f"/v1/calibrations/{number}")

    def references(self, *, state: str | None = None, member: str | None = None) -> Iterator[dict[str, Any]]:
        """Clean slabs and gas molecules that your jobs rest on (everybody's, for an administrator), the newest first. state: such as
        `failed`."""
        cursor = None
        while True:
            page = self.request(
                "GET", "/v1/references", params=present(state=state, member=member, cursor=cursor, limit=200)
            )
            yield from page["references"]
            cursor = page["next"]
            if cursor is None:
                return

    def retry_reference(self, number: int) -> dict[str, Any]:
        """Have a reference that failed tried again. Raises RequestRefused with who may, and what to wait for."""
        answer: dict[str, Any] = self.request("POST", f"/v1/references/{number}/retry")
        return answer


def _energies(candidate: int) -> str:
    return f"/v1/candidates/{candidate}/reference-energies"
