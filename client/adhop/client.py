"""What a user asks of a server: submit and list; the rest is in adhop.lab."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from adhop import batches, submission
from adhop.accounts import Accounts
from adhop.errors import AdhopError
from adhop.inputs import StructureLike
from adhop.job import Job
from adhop.lab import Lab
from adhop.submission import present
from adhop.system import System


class Client(Lab, Accounts):
    """A server and a key. url defaults to ADHOP_URL, the key to ADHOP_KEY or what the private file ADHOP_KEY_FILE holds.

    A submission carries an idempotency key, so that trying it again never makes two jobs.
    """

    def submit(
        self,
        *,
        adslab: StructureLike | None = None,
        structures: StructureLike | Iterable[StructureLike] | None = None,
        labels: Iterable[str] | None = None,
        relax: str | None = None,
        slab: StructureLike | None = None,
        bulk: str | StructureLike | None = None,
        adsorbate: str | StructureLike | None = None,
        adsorbate_indices: Iterable[int] | None = None,
        binding: Iterable[int] | None = None,
        miller: str | Iterable[int] | None = None,
        conventional: bool | None = None,
        termination: int | None = None,
        top: bool | None = None,
        min_depth: float | None = None,
        min_width: float | None = None,
        vacuum: float | None = None,
        crystal: str | None = None,
        a: float | None = None,
        c: float | None = None,
        u: float | None = None,
        prototype: str | None = None,
        elements: str | Iterable[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        name: str | None = None,
        priority: int | None = None,
        group: str | None = None,
    ) -> Job:
        """Submit one (adsorbate, surface) pair: an adslab (with the adsorbate's indices, or OC20 tags), or a slab and an adsorbate,
        or a bulk with a Miller index and an adsorbate.

        Structures are Atoms, pymatgen's objects, or files. Indices count from 0 and may be a list, a range, an array or a mask.
        A bulk may also be a prototype with its elements, such as prototype="rutile", elements=("Ti", "O"); lattice constants a and
        c, Å, and u where they aren't the usual ones, as with crystal for a bulk named by its element. Of its cut: miller, also as a
        text such as "111", of the cell given unless conventional; termination, counted from 0; top, False for the other side;
        min_depth, min_width and vacuum, Å.
        group: one of yours, whose members may then read the job.

        Or many structures of one system, to be scored without any search: a file whose frames are all read, or a list, with the same
        atoms in the same order. labels: what each is called (without them, what atoms.info or the file says as `label`, or numbers);
        candidates have them as `label`. relax: "none", "score" or "search", as the server's documentation has it. slab: the clean
        slab, which their energies are relative to.

        parameters: as in the server's JobParameters, such as {"hopping": {"hops": 20}, "seed": 3}. What the server ignored or
        simplified is printed to standard error, and is in the job's `warnings`. Raises RequestRefused with what to change.
        """
        request = submission.body(
            adslab=adslab,
            structures=structures,
            labels=labels,
            relax=relax,
            slab=slab,
            bulk=bulk,
            adsorbate=adsorbate,
            adsorbate_indices=adsorbate_indices,
            binding=binding,
            miller=miller,
            conventional=conventional,
            termination=termination,
            top=top,
            min_depth=min_depth,
            min_width=min_width,
            vacuum=vacuum,
            crystal=crystal,
            a=a,
            c=c,
            u=u,
            prototype=prototype,
            elements=elements,
            parameters=parameters,
            name=name,
            priority=priority,
            group=group,
        )
        answer = self.request("POST", "/v1/jobs", json=request, idempotency_key=str(uuid.uuid4()))
        return Job(self, answer).tell_warnings()

    def submit_many(self, asked: Iterable[Mapping[str, Any]]) -> list[Job | AdhopError]:
        """Submit many jobs, each by a dict of `submit`'s arguments, in as few requests as the server takes them in. Returns for each,
        in their order, the job, or the error that `submit` would have raised: one that is refused keeps no other from being queued.

        Limits on what is open or stored are judged in this order. Raises what concerns all, such as ServerUnreachable; trying again
        may then make some jobs a second time, while one call never does. What was ignored or simplified is in each job's `warnings`.
        """
        return batches.submit_many(self, asked)

    def system(self, **asked: Any) -> System:
        """What a job of these arguments, those of `submit`, would compute: slab, placements, references, cost, warnings. Nothing is
        queued. Raises RequestRefused where the job would be refused."""
        request = submission.body(**asked)
        return System(lambda form: self.request("POST", "/v1/systems", json=request, params={"format": form}))

    def job(self, job_id: str) -> Job:
        """A job by its id."""
        return Job(self, self.request("GET", f"/v1/jobs/{job_id}"))

    def cancel_jobs(self, job_ids: Sequence[str] = (), *, all_mine: bool = False) -> list[str]:
        """Cancel these jobs, up to 1,000, or all of yours that have not ended; what they found stays. Returns the ids of those that
        were cancelled: one that had ended stays as it is."""
        body = {"all": True} if all_mine else {"jobs": list(job_ids)}
        cancelled: list[str] = self.request("POST", "/v1/jobs:cancel", json=body)["cancelled"]
        return cancelled

    def jobs(self, *, state: str | None = None, limit: int | None = None, shared: bool = False) -> Iterator[Job]:
        """Your jobs, the newest first; all of them, or up to `limit`. shared: instead those that others share with your groups."""
        left, cursor = limit, None
        while left is None or left > 0:
            page = self.request(
                "GET",
                "/v1/jobs",
                params=present(state=state, shared=shared or None, cursor=cursor, limit=min(left or 50, 50)),
            )
            for body in page["jobs"]:
                yield Job(self, body)
            left = None if left is None else left - len(page["jobs"])
            cursor = page["next"]
            if cursor is None:
                return

    def models(self) -> list[dict[str, Any]]:
        """The members that the server has, and whether a worker hosts them now."""
        answer = self.request("GET", "/v1/models")
        models: list[dict[str, Any]] = answer["models"]
        return models
