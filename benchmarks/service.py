"""The whole service in a temporary folder, with one potentials worker, for benchmarks that stand where a user does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from adhop import Client

from local import processes
from local.stack import ROOT, Stack, stop_signals


@contextmanager
def serving(members: Sequence[str]) -> Iterator[tuple[Stack, Client]]:
    """A stack whose worker hosts these members, those of the tests' small checkpoints among them, and a client of it."""
    # ready is what hosts the default members: all of them here, though each job names its own
    variables = {f"ADHOP_DEFAULT_{what}_MEMBERS": ",".join(members) for what in ("SEARCH", "SCORE")}
    variables["ADHOP_MODELS_FILE"] = str(ROOT / "tests/checkpoints/members.toml")
    with stop_signals(), tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), variables, durable=False)
        try:
            stack.start_servers()
            key = stack.make_key()
            for role in (processes.API, processes.DISPATCHER, processes.CPU):
                stack.start(role)
            stack.start(processes.potentials(members), {"ADHOP_MEMBERS": ",".join(members)})
            stack.wait_ready(180)
            with Client(stack.url, key) as client:
                yield stack, client
        finally:
            stack.stop()
            stack.postgres.remove()
