"""Chosen minima as inputs for DFT codes, with OC20's settings, and what is needed to bring the answers back.

OC20: RPBE, 350 eV, no spin polarisation, 40/a x 40/b x 1 k-points; Chanussot et al., ACS Catal. 11, 6059 (2021),
doi:10.1021/acscatal.0c04525. Pseudopotentials are not shipped: POTCAR is the user's, and names for Quantum ESPRESSO are placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO

import numpy as np
from ase import Atoms
from ase.io.espresso import write_espresso_in
from ase.io.extxyz import write_extxyz
from ase.io.vasp import write_vasp
from ase.units import Ry

from shared.structures import Structure

CUTOFF = 350.0
"""eV."""
K_DENSITY = 40.0
"""Å: k-points along a lattice vector times its largest component."""


class Code(StrEnum):
    """Where the inputs go."""

    VASP = "vasp"
    ESPRESSO = "espresso"
    EXTXYZ = "extxyz"


@dataclass(frozen=True, eq=False)
class Piece:
    """One calculation."""

    name: str
    """Its folder, and its row in energies.csv."""
    structure: Structure
    periodic: bool = True
    """k-points across it."""
    relaxed: bool = False
    """To be relaxed, or one energy of the geometry as it is."""


def inputs(pieces: Sequence[Piece], code: Code, coefficients: Mapping[str, float]) -> dict[str, str]:
    """Texts by path: the inputs of each piece, energies.csv to be filled in, and README.txt.

    coefficients: how many of each reference the adsorbate is worth, as in services.scoring.references.
    """
    files: dict[str, str] = {}
    for piece in pieces:
        if code is Code.VASP:
            files |= {f"{piece.name}/{name}": text for name, text in _vasp(piece).items()}
        elif code is Code.ESPRESSO:
            files[f"{piece.name}/pw.in"] = _espresso(piece)
    if code is Code.EXTXYZ:
        files["structures.extxyz"] = _extxyz(pieces)
    files["energies.csv"] = "\n".join(["name,total_energy_eV", *(f"{piece.name}," for piece in pieces)]) + "\n"
    files["README.txt"] = _readme(code, coefficients)
    return files


def k_points(structure: Structure) -> tuple[int, int, int]:
    """OC20's rule for slabs; its length of a lattice vector is the largest component."""
    first, second = (max(1, round(K_DENSITY / float(np.abs(vector).max()))) for vector in structure.cell[:2])
    return first, second, 1


def _points(piece: Piece) -> tuple[int, int, int]:
    return k_points(piece.structure) if piece.periodic else (1, 1, 1)


def _vasp(piece: Piece) -> dict[str, str]:
    """POSCAR (species sorted, as POTCAR wants them, each in the given order; fixed atoms as selective dynamics), INCAR, KPOINTS, and
    the way back to the given order as ASE writes and reads it."""
    poscar, atoms = StringIO(), _right_handed(piece.structure)
    order = np.argsort(atoms.get_chemical_symbols(), kind="stable")
    write_vasp(poscar, atoms[order], direct=True)
    settings: dict[str, object] = {
        "GGA": "RP",
        "ENCUT": CUTOFF,
        "ISPIN": 1,
        "IBRION": 2 if piece.relaxed else -1,
        "NSW": 2000 if piece.relaxed else 0,
        "ISIF": 0,
        "ISYM": 0,
        "LREAL": "Auto",
        "EDIFFG": -0.03,
        "SYMPREC": "1e-10",
        "LWAVE": ".FALSE.",
        "LAECHG": ".FALSE.",
        "NCORE": 4,
    }
    incar = "".join(f"{key} = {value}\n" for key, value in settings.items())
    points = " ".join(map(str, _points(piece)))
    return {
        "POSCAR": poscar.getvalue(),
        "ase-sort.dat": "".join(f"{a:5d} {b:5d}\n" for a, b in zip(order, np.argsort(order), strict=True)),
        "INCAR": incar,
        "KPOINTS": f"{'OC20: 40/a x 40/b x 1' if piece.periodic else 'molecule in a box'}\n0\nMonkhorst-Pack\n{points}\n0 0 0\n",
    }


def _right_handed(structure: Structure) -> Atoms:
    """VASP asks for right-handed lattice vectors; a left-handed cell has its first two swapped, atoms where they are."""
    atoms = structure.to_atoms()
    if np.linalg.det(structure.cell) < 0:
        atoms.set_cell(structure.cell[[1, 0, 2]])
        atoms.pbc = structure.pbc[[1, 0, 2]]
    return atoms


def _espresso(piece: Piece) -> str:
    text = StringIO()
    atoms = piece.structure.to_atoms()
    symbols = sorted(set(atoms.get_chemical_symbols()))
    write_espresso_in(
        text,
        atoms,
        input_data={
            "control": {
                "calculation": "relax" if piece.relaxed else "scf",
                "prefix": "adhop",
                "pseudo_dir": "./pseudo",
                "tprnfor": True,
                "forc_conv_thr": 0.03 / 25.71104309541616,  # eV/Å in Ry/bohr
            },
            "system": {
                "ecutwfc": CUTOFF / Ry,
                # the short name RPBE is refused by pw.x, which has the exchange all the same
                "input_dft": "sla+pw+rpbe+pbc",
                "occupations": "smearing",
                "smearing": "mv",
                "degauss": 0.2 / Ry,
            },
            "electrons": {"conv_thr": 1e-7},
        },
        pseudopotentials={symbol: f"{symbol}.FILL_IN.UPF" for symbol in symbols},
        kpts=_points(piece),
    )
    return text.getvalue()


def _extxyz(pieces: Sequence[Piece]) -> str:
    text = StringIO()
    frames = []
    for piece in pieces:
        atoms = piece.structure.to_atoms()
        atoms.info = {"name": piece.name}
        frames.append(atoms)
    write_extxyz(text, frames)
    return text.getvalue()


_CODES = {
    Code.VASP: (
        "VASP: put your POTCAR into each folder; species are in the order of POSCAR. PBE potentials, as OC20 uses.\n"
        "POSCAR has the atoms by species. ase-sort.dat leads back to the order they were given in: its second column says where in\n"
        "POSCAR each of those atoms stands, counted from 0; ase.calculators.vasp reads it."
    ),
    Code.ESPRESSO: (
        "Quantum ESPRESSO: replace the names NN.FILL_IN.UPF by your pseudopotentials. ecutwfc is OC20's 350 eV (25.7 Ry), which\n"
        "suits VASP's PAW potentials: raise it to what yours need. RPBE is spelt out by its parts; pw.x 7 or newer knows them."
    ),
    Code.EXTXYZ: "structures.extxyz: one frame a calculation, `name` in its comment line, fixed atoms as move_mask.",
}


def _readme(code: Code, coefficients: Mapping[str, float]) -> str:
    formula = " ".join(f"{'-' if count > 0 else '+'} {abs(count):g} E({name})" for name, count in coefficients.items())
    return f"""Inputs for DFT, made by Adhop with OC20's settings (RPBE, 350 eV, no spin, 40/a x 40/b x 1 k-points).

{_CODES[code]}

rankN-candidateM   one energy of a chosen minimum, as it is
slab, gas-NAME     to be relaxed: the references. Take the energy of the relaxed geometry.

Fill in energies.csv (total energies, eV), and hand it back:

    adhop feed energies.csv --functional RPBE --code "VASP 6.4.3"

E_ads = E(candidate) - E(slab) {formula}
"""
