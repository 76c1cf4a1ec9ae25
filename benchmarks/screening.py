"""Which systems the search is measured on: those where a molecule stays intact on EMT, and where there is more than one way to sit.

python -m benchmarks.screening [--metals Cu,Pt]

Eight random placements of each adsorbate on each face, relaxed without restraints. Admitted: at least six end sound (converged, no
anomaly), in at least three distinct minima.
"""

from __future__ import annotations

from argparse import ArgumentParser
from itertools import product

from rich.progress import track

from benchmarks import report
from benchmarks.searches import clean_slab
from benchmarks.systems import Case, build, starts
from services.forces.engine import run
from services.forces.potential import Potential
from services.geometry import anomalies
from services.geometry.similarity import representatives
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from shared.errors import Failure
from shared.parameters import Similarity
from shared.soundness import is_sound
from worker.potentials import registry

METALS = ("Cu", "Ag", "Au", "Ni", "Pd", "Pt")
FACES = ("111", "100", "110", "211")
ADSORBATES = ("*H", "*O", "*N", "*OH", "*CO", "*NO", "*CN", "*CH", "*CH2", "*CH3", "*CHO", "*CCO", "*COOH")
PLACEMENTS = 8
SOUND = 6
DISTINCT = 3
SEED = 77
"""Not a seed of the searches: their placements are others."""


def screen(potential: Potential, case: Case) -> tuple[int, int]:
    """How many placements end sound, and in how many distinct minima."""
    system = build(case)
    slab = clean_slab(potential, system.slab)
    structures, energies = [], []
    for start in starts(system, PLACEMENTS, SEED):
        try:
            done = run(relax(start, fmax=0.05, max_steps=120, hessian=model_hessian(start)), potential)
        except Failure:
            continue
        if is_sound(done.converged, anomalies.find(start, done.structure, slab)):
            structures.append(done.structure)
            energies.append(done.energy)
    return len(structures), len(set(representatives(structures, energies, Similarity())))


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--metals", default=",".join(METALS))
    emt = registry.load("emt")
    cases = [Case(*one) for one in product(parser.parse_args().metals.split(","), FACES, ADSORBATES)]
    found = {case: screen(emt, case) for case in track(cases, description="systems")}
    admitted = {case: (sound, n) for case, (sound, n) in found.items() if sound >= SOUND and n >= DISTINCT}
    report.show(
        f"admitted: {len(admitted)} of {len(found)} systems",
        ["system", f"sound of {PLACEMENTS}", "distinct minima"],
        [[case, sound, n] for case, (sound, n) in admitted.items()],
    )
    report.finish({"screened": len(found), "admitted": [str(case) for case in admitted]})


if __name__ == "__main__":
    main()
