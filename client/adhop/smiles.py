"""A molecule from its SMILES, in three dimensions, by RDKit: an extra of the client, `pip install 'adhop[smiles]'`.

Conformers by ETKDG (Riniker & Landrum, J. Chem. Inf. Model. 55, 2562 (2015), doi:10.1021/acs.jcim.5b00654) from a fixed seed, relaxed
with MMFF94 where it has parameters for the molecule, with UFF where it hasn't.
"""

from __future__ import annotations

from typing import Any

from ase import Atoms

from adhop.errors import AdhopError

PREFIX = "smiles:"
"""What a text starts with that names an adsorbate by its SMILES."""
_SEED = 7
"""Of the conformer, so that the same SMILES gives the same geometry."""


def molecule(smiles: str) -> Atoms:
    """The molecule with all its hydrogens, Å: the atoms of the SMILES in their order, then the hydrogens that it leaves out. Raises
    AdhopError for what RDKit can't read or build, for several molecules, and for a charge."""
    chemistry, distance_geometry, fields = _rdkit()
    read = chemistry.MolFromSmiles(smiles) if smiles.strip() else None
    if read is None:
        raise AdhopError(f"{smiles!r} is no SMILES that RDKit can read")
    if len(chemistry.GetMolFrags(read)) > 1:
        raise AdhopError(f"{smiles!r} is several molecules (the dots part them): give one")
    if chemistry.GetFormalCharge(read):
        raise AdhopError(
            f"{smiles!r} has a charge of {chemistry.GetFormalCharge(read):+d}, and adsorbates are neutral: give the neutral molecule"
        )
    whole = chemistry.AddHs(read)
    settings = distance_geometry.ETKDGv3()
    settings.randomSeed = _SEED
    if distance_geometry.EmbedMolecule(whole, settings) != 0:
        raise AdhopError(f"no geometry was found for {smiles!r}: give the molecule as Atoms or a file")
    _relax(fields, whole)
    return Atoms([atom.GetSymbol() for atom in whole.GetAtoms()], whole.GetConformer().GetPositions())


def _relax(fields: Any, whole: Any) -> None:
    """In place. fields: RDKit's force fields."""
    if whole.GetNumAtoms() < 2:
        return
    if fields.MMFFHasAllMoleculeParams(whole):
        fields.MMFFOptimizeMolecule(whole, maxIters=2000)
    elif fields.UFFHasAllMoleculeParams(whole):
        fields.UFFOptimizeMolecule(whole, maxIters=2000)


def _rdkit() -> tuple[Any, Any, Any]:
    """Its chemistry, distance geometry and force fields."""
    try:
        from rdkit import Chem, RDLogger
        from rdkit.Chem import rdDistGeom, rdForceFieldHelpers
    except ImportError:
        raise AdhopError(
            "SMILES are read by RDKit, which is not installed here: pip install 'adhop[smiles]', or give the molecule as Atoms or "
            "a file"
        ) from None
    RDLogger.DisableLog("rdApp.*")  # errors are told in our own words
    return Chem, rdDistGeom, rdForceFieldHelpers
