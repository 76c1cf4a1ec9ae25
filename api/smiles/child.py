"""What a reading process of SMILES answers (a `shared.children.child.Answering`): {"smiles"} in, {"symbols", "positions"} out.

By RDKit, which is no requirement of the server: where it isn't installed, every text is refused in words. Conformers by ETKDG
(Riniker & Landrum, J. Chem. Inf. Model. 55, 2562 (2015), doi:10.1021/acs.jcim.5b00654) from the seed that the Python client has,
relaxed with MMFF94 where it has parameters for the molecule, with UFF where it hasn't: the same SMILES is the same molecule by
either way.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from shared.errors import InvalidInput

MOST_ATOMS = 60
"""Hydrogens that are written out included; the largest molecule of OC20 has 12."""
_SEED = 7


def warm_up() -> None:
    """Build a molecule, where there is RDKit."""
    try:
        import_module("rdkit")
    except ImportError:
        return
    answer({"smiles": "CO"})


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """All atoms of the molecule: those of the SMILES in their order, then the hydrogens that it leaves out; positions in Å [n, 3].
    Raises InvalidInput for what can't be read or built, for several molecules, for a charge, and where RDKit isn't there."""
    text = request["smiles"]
    chemistry, geometry, fields = _rdkit()
    read = chemistry.MolFromSmiles(text) if text.strip() else None
    if read is None:
        raise InvalidInput(f"{text!r} is no SMILES that RDKit can read", field="text")
    if len(chemistry.GetMolFrags(read)) > 1:
        raise InvalidInput(f"{text!r} is several molecules (the dots part them): give one", field="text")
    if charge := chemistry.GetFormalCharge(read):
        raise InvalidInput(
            f"{text!r} has a charge of {charge:+d}, and adsorbates are neutral: give the neutral molecule", field="text"
        )
    whole = chemistry.AddHs(read)
    if whole.GetNumAtoms() > MOST_ATOMS:
        raise InvalidInput(
            f"{text!r} has {whole.GetNumAtoms()} atoms, and {MOST_ATOMS} are allowed: give it as a file, on its slab",
            field="text",
        )
    settings = geometry.ETKDGv3()
    settings.randomSeed = _SEED
    if geometry.EmbedMolecule(whole, settings) != 0:
        raise InvalidInput(
            f"no geometry was found for {text!r}: give the molecule as a file, on its slab", field="text"
        )
    _relax(fields, whole)
    return {
        "symbols": [atom.GetSymbol() for atom in whole.GetAtoms()],
        "positions": whole.GetConformer().GetPositions().tolist(),
    }


def _relax(fields: Any, whole: Any) -> None:
    """In place. fields: RDKit's force fields."""
    if whole.GetNumAtoms() < 2:
        return
    if fields.MMFFHasAllMoleculeParams(whole):
        fields.MMFFOptimizeMolecule(whole, maxIters=2000)
    elif fields.UFFHasAllMoleculeParams(whole):
        fields.UFFOptimizeMolecule(whole, maxIters=2000)


def _rdkit() -> tuple[Any, Any, Any]:
    """Its chemistry, distance geometry and force fields. Raises InvalidInput where it isn't installed."""
    try:
        chemistry = import_module("rdkit.Chem")
        import_module("rdkit.RDLogger").DisableLog("rdApp.*")  # errors are told in our own words
        return chemistry, import_module("rdkit.Chem.rdDistGeom"), import_module("rdkit.Chem.rdForceFieldHelpers")
    except ImportError:
        raise InvalidInput(
            "this server has no RDKit, which reads SMILES: ask whoever runs it to install rdkit beside it, or give the slab with "
            "the molecule on it",
            field="text",
        ) from None
