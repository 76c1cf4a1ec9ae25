"""What was understood of a submission, as it is shown. Lengths in Å, angles in degrees."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from api.results.responses import StructureView
from api.view import View
from shared.scales import ScaleKind


class CellView(View):
    """The cell."""

    lengths: list[float] = Field(description="of the lattice vectors, Å [3]")
    angles: list[float] = Field(description="alpha, beta, gamma, degrees [3]")
    area: float = Field(description="of the surface cell, Å²")
    height: float = Field(description="between bottom and top face, Å")
    vacuum: float = Field(description="the part of `height` that the clean slab leaves empty, Å")


class SlabView(View):
    """The clean slab. Indices count its own atoms, as `structure` lists them."""

    formula: str
    n_atoms: int
    thickness: float = Field(description="from the lowest to the highest atom, Å")
    surface: list[int] = Field(description="the outermost layer: as tagged, or found from the geometry")
    fixed: list[int] = Field(description="atoms that never move: as given, or all below the surface where none was")
    n_free: int
    cell: CellView
    structure: StructureView


class AdsorbateView(View):
    """The molecule, before it is placed. Indices count its own atoms."""

    name: str
    formula: str
    symbols: list[str]
    positions: list[list[float]] = Field(description="Å [n_atoms, 3]")
    binding: list[int] = Field(description="atoms that point at the surface")
    fixed: list[int] = Field(description="atoms that never move, in the first placement")


class OrderView(View):
    """Which atom as given each atom inside is: the slab's atoms stand first inside, then the adsorbate's."""

    slab: list[int] | None = Field(description="index as given of each slab atom; null for a slab that was cut here")
    adsorbate: list[int] = Field(description="index as given of each adsorbate atom; of an adslab's, within the adslab")


class PlacementView(View):
    """One starting geometry."""

    index: int
    site: str
    method: str
    structure: StructureView


class ReferenceView(View):
    """What adsorption energies of some of the members that score are relative to."""

    energies: str = Field(
        description="`total`, or `adsorption` where the members predict adsorption energies themselves"
    )
    members: list[str]
    statement: str = Field(examples=["relaxed clean slab + CO(g), by each member's own molecules"])
    relaxed: list[str] = Field(description="what each of these members relaxes for it")
    kinds: list[str] = Field(description=f"where the gas molecules' energies come from: {', '.join(ScaleKind)}")
    accuracy: str = Field(description="how far these members are off on the labels that constants were fitted to")


class MembersView(View):
    """Members that will be used, or were."""

    search: list[str]
    refine: list[str]
    score: list[str]


class CostView(View):
    """What the search is likely to cost."""

    walkers: int
    hops_most: int = Field(description="relaxations of the placements included; where no walker stops early")
    force_calls: int = Field(description="an estimate, of the walkers")
    seconds: float | None = Field(description="an estimate; null where no job with these search members has ended yet")
    how: str = Field(description="how force calls and seconds were estimated, and what they leave out")


class SystemView(View):
    """What was understood of a submission."""

    job: UUID | None = Field(description="null where nothing was queued")
    kind: str = Field(description="of the input: `adslab`, `slab`, `bulk` or `structures`")
    surface: str = Field(description="its name")
    slab: SlabView
    adsorbate: AdsorbateView
    stored: bool = Field(
        description="whether the placements are those that the job has stored, or those that it would get"
    )
    placements: list[PlacementView] = Field(
        description="atoms in the order of the adslab that was given, or slab first"
    )
    order: OrderView
    references: list[ReferenceView]
    members: MembersView
    cost: CostView
    digest: str = Field(description="SHA-256 of the submission: the same for the same content, however it was sent")
    warnings: list[str] = Field(description="what was ignored, simplified or decided for you, and all `cautions`")
    cautions: list[str] = Field(description="what is known to be wrong with the members on this system")
