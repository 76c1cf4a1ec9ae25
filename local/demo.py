"""`make demo`: a real job from start to end on this machine, through the client that users have.

CO on Pt(111): small enough for two cores without a GPU. Potentials, servers, search and scoring are the real ones; only the cell,
the number of placements and hops are cut down to minutes.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
from adhop import Client, Job
from adhop.console import console as make_console
from ase import Atoms
from ase.build import fcc111
from ase.constraints import FixAtoms
from ase.io import write
from ase.visualize.plot import plot_atoms
from matplotlib.figure import Figure

from local import service
from local.stack import stop_signals
from shared.child import Child, StartError, spawn

ADSORBATE = "*CO"
LATTICE_CONSTANT = 3.97
"""Å, Pt, PBE."""
PARAMETERS = {
    "seed": 1,
    "placement": {"mode": "heuristic", "count": 6},
    "hopping": {"hops": 4, "walkers": 2},
}

console = make_console()


def slab() -> Atoms:
    """Pt(111), p(2x2), three layers, the lower two fixed."""
    atoms: Atoms = fcc111("Pt", (2, 2, 3), a=LATTICE_CONSTANT, vacuum=8.0, periodic=True)
    atoms.set_constraint(FixAtoms(mask=atoms.get_tags() > 1))
    return atoms


def run(home: Path, output: Path) -> None:
    """The demo; leaves nothing running that it started. home: the folder of the service."""
    began = time.monotonic()
    with stop_signals():
        try:
            with _service(home) as found, Client(found.url, Path(found.key_file).read_text().strip()) as client:
                _say(began, f"ready at {found.url}")
                _ask(client, output, began)
        except KeyboardInterrupt:
            console.print("interrupted; nothing is left running")
            raise SystemExit(130) from None


def _ask(client: Client, output: Path, began: float) -> None:
    surface = slab()
    job = client.submit(slab=surface, adsorbate=ADSORBATE, name="demo", parameters=PARAMETERS)
    _say(began, f"submitted {ADSORBATE} on Pt(111), p(2x2), {len(surface)} slab atoms: job {job.id}")
    try:
        job.wait()
    except BaseException:
        with contextlib.suppress(Exception):
            job.refresh().cancel()
        raise
    job.print_minima(rest=True)
    for path in write_results(job, output):
        console.print(f"wrote {path}")
    _say(began, "done")


def write_results(job: Job, output: Path) -> list[Path]:
    """The minima as extxyz, every candidate as CSV, and a picture of the lowest minima."""
    output.mkdir(parents=True, exist_ok=True)
    minima = job.minima()
    structures, table, picture = (output / f"minima.{suffix}" for suffix in ("extxyz", "csv", "png"))
    write(structures, minima, format="extxyz")
    job.to_csv(table, rest=True)
    draw(minima[:4], picture)
    return [structures, table, picture]


def draw(minima: list[Atoms], path: Path) -> None:
    """Each minimum from above and from the side, with its site and mean adsorption energy."""
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(3.2 * len(minima), 6.2), layout="constrained")
        axes = figure.subplots(2, len(minima), squeeze=False)
        for column, atoms in enumerate(minima):
            wide = atoms.repeat((2, 2, 1))
            for row, rotation in enumerate(("0x,0y,0z", "-90x,0y,0z")):
                plot_atoms(wide, axes[row, column], rotation=rotation, show_unit_cell=0)
                axes[row, column].set_axis_off()
            mean, std = atoms.info.get("mean"), atoms.info.get("std")
            energy = "not scored" if mean is None else f"{mean:.2f} eV" + ("" if std is None else f" ± {std:.2f}")
            axes[0, column].set_title(f"{atoms.info['rank']}: {atoms.info['site']}\n{energy}")
        figure.savefig(path, dpi=130)


@contextlib.contextmanager
def _service(home: Path) -> Iterator[service.Running]:
    """The service to use: the one that is up already, or one started for this demo; in a private folder where another demo
    uses `home`."""
    found = service.running(home)
    if found is not None:
        console.print(f"using the service that is up at {found.url}")
        yield found
        return
    with service.claimed(home) as free:
        pass
    folder = home if free else Path(tempfile.mkdtemp(prefix="demo-", dir=home))
    if not free:
        console.print(f"another demo runs; this one uses a folder of its own, {folder}")
    (folder / "service.log").unlink(missing_ok=True)
    server = spawn("service", service.command(folder, None), log=folder / "service.log")
    try:
        yield _wait_for(folder, server)
    finally:
        server.stop(grace_s=90)
        if not free:
            service.remove(folder)


def _wait_for(folder: Path, server: Child) -> service.Running:
    """The service, once it is ready; one line for each thing it waits for."""
    began, shown, log = time.monotonic(), 0, folder / "service.log"
    while True:
        lines = log.read_text().splitlines()
        for line in lines[shown:]:
            _say(began, line)
        shown = len(lines)
        found = service.running(folder)
        if found is not None and found.pid == server.process.pid:
            return found
        if not server.running:
            raise StartError(f"the service did not start; see {log}\n{server.tail()}")
        time.sleep(0.2)


def _say(began: float, what: str) -> None:
    console.print(f"[{time.monotonic() - began:5.1f} s] {what}", highlight=False, markup=False, soft_wrap=True)
