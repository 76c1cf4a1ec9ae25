"""Constants that a lab fits to labels of its own, by one command."""

import io

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.io import write
from rich.console import Console

from shared.errors import InvalidInput
from worker.models import fitting, terminal
from worker.models.__main__ import main
from worker.potentials import references_file, registry

EMT = registry.load("emt")
CONSTANTS = {"H": -1.25, "C": -2.5, "O": -0.75}
"""What the labels of the test are made with, eV an atom."""
MOLECULES = {
    "O": Atoms("O"),
    "H": Atoms("H"),
    "C": Atoms("C"),
    "CO": Atoms("CO", [(0, 0, 0), (0, 0, 1.15)]),
    "OH": Atoms("OH", [(0, 0, 0), (0, 0, 0.97)]),
}


def frames(noise: float = 0.0) -> list[Atoms]:
    """Labels that EMT with these constants gives to the last digit, or off by noise, eV."""
    chance, made = np.random.default_rng(1), []
    for metal in ("Cu", "Pt", "Pd"):
        slab = fcc111(metal, (2, 2, 2), vacuum=8, periodic=True)
        slab.set_tags([0] * len(slab))
        slab.info = {"name": metal}
        made.append(slab)
        for name, molecule in MOLECULES.items():
            adslab = slab.copy()
            add_adsorbate(adslab, molecule, 1.6, tuple(slab.positions[4:6, :2].mean(axis=0)))
            adslab.set_tags([0] * len(slab) + [2] * len(molecule))
            gas = sum(CONSTANTS[symbol] for symbol in molecule.get_chemical_symbols())
            total, clean = (energy(one) for one in (adslab, slab))
            label = total - clean - gas + noise * chance.normal()
            adslab.info = {"slab": metal, "adsorption_energy": label, "what": name}
            made.append(adslab)
    return made


def energy(atoms: Atoms) -> float:
    from ase.calculators.emt import EMT as Calculator  # the package's own

    copy = atoms.copy()
    copy.calc = Calculator()
    return float(copy.get_potential_energy())


@pytest.fixture
def file(tmp_path):
    write(tmp_path / "labels.extxyz", frames(), format="extxyz")
    return tmp_path / "labels.extxyz"


def test_one_command_writes_what_workers_read(file, tmp_path, monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=said, width=200))
    site = tmp_path / "members.toml"
    with pytest.raises(SystemExit) as ended:
        main(["fit", "emt", "--labels", str(file), "--set", "ours", "--functional", "RPBE", "--file", str(site)])
    assert ended.value.code in (0, None)
    scale = registry.read(site)["emt"].scale
    assert scale.energies == pytest.approx(CONSTANTS, abs=2e-3)
    assert scale.words([6, 8]) == "by constants fitted to ours (RPBE)"
    assert (scale.fit.labels, scale.fit.by_metal.keys()) == (15, {"Cu", "Pt", "Pd"})
    assert scale.fit.metal_left_out < 2e-3
    assert "emt: H -1.250, C -2.500, O -0.750 eV an atom, from 15 labels" in said.getvalue()
    assert references_file.beside(site).exists()


def test_errors_are_those_of_labels_that_were_left_out(tmp_path):
    write(tmp_path / "noisy.extxyz", frames(noise=0.2), format="extxyz")
    scale = fitting.fitted(
        EMT, fitting.read(tmp_path / "noisy.extxyz"), set="s", functional="f", made=fitting.date(2026, 1, 1)
    )
    assert 0.1 < scale.fit.metal_left_out < 0.35
    # an element that stands in no other adsorbate's labels can't be told: CO and C, OH and H stay
    assert {"CO", "HO", "C"} <= scale.fit.by_adsorbate.keys()


def test_what_a_label_lacks_is_said_with_its_frame(tmp_path, file):
    def refused(change, said: str) -> None:
        made = frames()
        change(made)
        write(tmp_path / "wrong.extxyz", made, format="extxyz")
        with pytest.raises(InvalidInput, match=said):
            fitting.read(tmp_path / "wrong.extxyz")

    refused(lambda made: made[1].info.pop("slab"), "frame 2: slab='' in its comment line is the name of no frame")
    refused(lambda made: made[1].set_tags([0] * len(made[1])), "frame 2: the atoms of the slab Cu must come first")
    refused(lambda made: [one.info.pop("adsorption_energy", 0) for one in made], "no frame has an adsorption_energy")
