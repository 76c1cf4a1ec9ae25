"""Five finished jobs computed again by hand: ASE, the packages' own calculators, and nothing of ours but the service's answer.

python -m benchmarks.by_hand [--quick]     a row for each job; one JSON object as the last line

Each candidate's energy is evaluated again at the geometry that came back, the clean slab and the gas molecules are relaxed again by
ASE's BFGS, and E_ads follows from these. A job is right where both agree within 2 meV, the atoms come back in the order given, and
the fixed ones where they were.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from adhop import Client, Job
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc100, fcc111, molecule
from ase.constraints import FixAtoms
from ase.optimize import BFGS

from benchmarks import report
from benchmarks.calculators import own_calculator
from benchmarks.service import serving
from worker.potentials import registry

FMAX = 0.01
"""eV/Å, of what is relaxed by hand."""
ALLOWED = 2e-3
"""eV."""
GAS: dict[str, dict[str, float]] = {
    "H": {"H2": 0.5},
    "O": {"H2O": 1, "H2": -1},
    "C": {"CO": 1, "H2O": -1, "H2": 1},
    "N": {"N2": 0.5},
}
"""OC20's chemical potentials, in gas molecules (doi:10.1021/acscatal.0c04525)."""


@dataclass(frozen=True)
class Case:
    """A job; given: what is submitted, and the atoms whose order and place must be kept, where there are any."""

    name: str
    member: str
    given: Callable[[], tuple[dict[str, Any], Atoms | None]]


def _slab(maker: Any, metal: str, *size: int, a: float) -> Atoms:
    atoms: Atoms = maker(metal, size, a=a, vacuum=8.0, periodic=True)
    atoms.set_constraint(FixAtoms(mask=atoms.get_tags() > 1))
    return atoms


def _on(slab: Atoms, adsorbate: str) -> tuple[dict[str, Any], Atoms | None]:
    return {"slab": slab, "adsorbate": adsorbate}, slab


def _shuffled() -> tuple[dict[str, Any], Atoms | None]:
    """CO bound by C on Pd(111), atoms in no order."""
    atoms = _slab(fcc111, "Pd", 2, 2, 3, a=3.95)
    upright = molecule("CO")
    upright.rotate(180, "x")
    add_adsorbate(atoms, upright, 1.9, "ontop", mol_index=1)
    order = np.random.default_rng(4).permutation(len(atoms))
    fixed = np.flatnonzero(atoms.positions[order, 2] < atoms.positions[:, 2].max() - 4.5)
    atoms = atoms[order]
    atoms.set_constraint(FixAtoms(fixed))
    molecules = np.flatnonzero(np.isin(atoms.get_chemical_symbols(), ["C", "O"]))
    return {"adslab": atoms, "adsorbate_indices": molecules}, atoms


def _cut() -> tuple[dict[str, Any], Atoms | None]:
    asked = {"bulk": bulk("Cu", cubic=True), "miller": (1, 0, 0), "min_width": 5.0, "min_depth": 5.0, "vacuum": 14.0}
    return asked | {"adsorbate": "*O"}, None


CASES = (
    Case("*CO on Pt(111)", "chgnet-0.3.0", lambda: _on(_slab(fcc111, "Pt", 2, 2, 3, a=3.97), "*CO")),
    Case("*OH on Cu(100)", "sevennet-0", lambda: _on(_slab(fcc100, "Cu", 2, 2, 3, a=3.63), "*OH")),
    Case("CO on Pd(111), shuffled", "chgnet-0.3.0", _shuffled),
    Case("*O on Cu(100), cut from a bulk", "sevennet-0", _cut),
    Case("*H on Ni(111)", "chgnet-r2scan", lambda: _on(_slab(fcc111, "Ni", 2, 2, 3, a=3.49), "*H")),
)


def relaxed(atoms: Atoms, calculator: Any) -> float:
    """Energy of the minimum, eV."""
    atoms = atoms.copy()
    atoms.calc = calculator
    BFGS(atoms, logfile=None).run(fmax=FMAX, steps=300)
    return float(atoms.get_potential_energy())


def gas(symbols: list[str], pbc: Any, calculator: Any) -> float:
    """Energy that the adsorbate's atoms have in the reference, eV."""
    counts: dict[str, float] = {}
    for symbol in symbols:
        for name, share in GAS[symbol].items():
            counts[name] = counts.get(name, 0.0) + share
    total = 0.0
    for name, count in counts.items():
        if count:
            atoms = molecule(name)
            atoms.set_cell([15.0] * 3)
            atoms.center()
            atoms.pbc = pbc
            total += count * relaxed(atoms, calculator)
    return total


def checked(job: Job, member: str, given: Atoms | None, calculator: Any) -> dict[str, Any]:
    """The largest difference over the job's candidates, eV, and whether atoms were kept."""
    system = job.system()
    slab = system.slab
    clean = relaxed(slab, calculator)
    frames = [one for one in job.structures(all=True) if f"adsorption_energy_{member}" in one.info]
    symbols = list(frames[0].get_chemical_symbols())
    for symbol in slab.get_chemical_symbols():
        symbols.remove(symbol)
    reference = clean + gas(symbols, slab.pbc, calculator)
    off, kept = [], True
    for frame in frames:
        atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc, calculator=calculator)
        by_hand = float(atoms.get_potential_energy()) - reference
        off.append(abs(by_hand - frame.info[f"adsorption_energy_{member}"]))
        if given is not None:
            n, held = len(given), [i for one in given.constraints for i in one.index]
            kept &= bool((frame.numbers[:n] == given.numbers).all())
            kept &= bool(np.abs(frame.positions[held] - given.positions[held]).max(initial=0.0) < 1e-9)
    return {"candidates": len(frames), "lowest": min(one.info[f"adsorption_energy_{member}"] for one in frames),
            "most_off": max(off), "kept": kept}  # fmt: skip


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first job alone")
    cases = CASES[:1] if parser.parse_args().quick else CASES
    members = sorted({case.member for case in cases})
    with serving(members) as (_, client):
        found = {case.name: _run(client, case) for case in cases}
    headings = ("job", "member", "candidates", "lowest E_ads, eV", "most off, meV", "order and fixed atoms")
    rows = [
        (name, one["member"], one["candidates"], f"{one['lowest']:.3f}", f"{1e3 * one['most_off']:.2f}",
         "kept" if one["kept"] else "CHANGED")
        for name, one in found.items()
    ]  # fmt: skip
    report.show("the service's E_ads against ASE and the packages' own calculators", headings, rows)
    right = sum(one["most_off"] < ALLOWED and one["kept"] for one in found.values())
    report.finish({"jobs": len(found), "right": right, "most_off_ev": max(one["most_off"] for one in found.values())})


def _run(client: Client, case: Case) -> dict[str, Any]:
    asked, given = case.given()
    parameters = {
        "seed": 2,
        "placement": {"count": 3},
        "hopping": {"hops": 1, "max_md_steps": 60, "walkers": 1, "fmax": FMAX},
        "ensemble": {"search_members": [case.member], "score_members": [case.member], "scale": "own gas"},
    }
    job = client.submit(**asked, parameters=parameters, name=case.name).wait(progress=False, timeout_s=900)
    calculator = own_calculator(registry.read(None)[case.member], "cpu")
    return {"member": case.member} | checked(job, case.member, given, calculator)


if __name__ == "__main__":
    main()
