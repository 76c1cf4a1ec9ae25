"""What a job may ask for: one frozen model, used by the API, the database and the science alike.

Units: eV, Å, eV/Å, fs, K. Defaults of the hopping are the published ones: Goedecker, J. Chem. Phys. 120, 9911
(2004), doi:10.1063/1.1724816; Peterson, Top. Catal. 57, 40 (2014), doi:10.1007/s11244-013-0161-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import pi
from types import MappingProxyType
from typing import Annotated, Literal, Self

from ase.data import atomic_numbers
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.plain_text import OneLine
from shared.references import GAS, in_gas

# What may stand in a field is said once here, for jobs and for requests to choose again.
MemberName = Annotated[OneLine, Field(min_length=1, max_length=100)]
ScoringMembers = Annotated[tuple[MemberName, ...], Field(min_length=1, max_length=10)]
Weights = Annotated[dict[MemberName, Annotated[float, Field(gt=0, le=1000)]], Field(max_length=10)]
Limit = Annotated[float, Field(gt=0, le=10)] | Literal["calibrated"]
"""eV, or what a calibration for the same members says."""
CALIBRATED = "calibrated"
CalibrationNumber = Annotated[int, Field(ge=1, lt=2**63)]
Functional = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[ -~]+$")]
Count = Annotated[int, Field(ge=1, le=100)]
Window = Annotated[float, Field(gt=0, le=20)]


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class PlacementMode(StrEnum):
    """Where the adsorbate is put, after OC20 (doi:10.1021/acscatal.0c04525)."""

    HEURISTIC = "heuristic"  # high-symmetry sites, binding atoms down, random turn about the normal
    RANDOM_SITE = "random_site_heuristic"  # random sites, same orientation rule with a wobble
    RANDOM = "random"  # random sites, uniformly random orientation

    @property
    def tilt(self) -> float:
        """Largest angle by which the adsorbate is tilted from the way it stands, radians."""
        return {PlacementMode.HEURISTIC: 0.0, PlacementMode.RANDOM_SITE: pi / 9, PlacementMode.RANDOM: pi / 2}[self]


class Masses(StrEnum):
    """What moves how fast in an escape."""

    ATOMIC = "atomic"  # the elements' masses, steps of `timestep_fs`: plain molecular dynamics
    CURVATURE = "curvature"  # a mass tensor that gives every mode one frequency, steps of `stride`


class Spread(StrEnum):
    """How the members' disagreement is measured."""

    STD = "std"  # sample standard deviation, ddof = 1
    RANGE = "range"  # max - min
    RELATIVE = "relative"  # std of what is left without each member's offset: do they agree which minimum is lowest?


class ScaleChoice(StrEnum):
    """Which scale the members' energies are brought to."""

    MEMBER = "member"  # each member's, as its card says
    OWN_GAS = "own gas"  # that of the gas molecules as each member of total energies relaxes them


class Placement(_Parameters):
    mode: PlacementMode = PlacementMode.HEURISTIC
    count: Annotated[int, Field(ge=1, le=500)] = 20
    clearance: Annotated[float, Field(ge=0, le=2)] = 0.1
    """Gap above covalent contact, Å."""
    allow_image_contact: bool = False
    """Whether the molecule may touch its own periodic images. Otherwise a job in whose cell it would, at any turn, is refused."""


class Restraints(_Parameters):
    """Generalised Hookean springs, each exactly zero inside its threshold. Scaled distances are d / (r_i + r_j).

    The community's anomaly detector calls atoms bonded within r_i + r_j + 0.6 Å (and 1.5 (r_i + r_j) + 0.6 Å with its
    cushion); the defaults act well before an atom pair crosses these.
    """

    enabled: bool = True
    bonded: Annotated[float, Field(gt=0.5, le=2)] = 1.25
    """A pair counts as bonded in the start structure below this scaled distance."""
    stretch: Annotated[float, Field(gt=1, le=3)] = 1.3
    """Bonded adsorbate pairs are pulled back beyond this scaled distance (or 5 % beyond their own start, if that is longer)."""
    contact: Annotated[float, Field(gt=1, le=3)] = 1.5
    """The adsorbate is pulled back when its nearest scaled distance to a surface atom grows beyond this."""
    gap: Annotated[float, Field(ge=0, le=3)] = 0.75
    """Pairs that are not bonded are repelled below r_i + r_j plus this (or 5 % below their own start, if that is shorter), Å:
    within the adsorbate, between adsorbate and subsurface, and between slab atoms that are apart in the clean slab."""
    slab_slack: Annotated[float, Field(gt=0.02, le=1)] = 0.2
    """Bonded slab pairs are pulled back beyond their distance in the relaxed clean slab times one plus this."""
    stiffness_dissociation: Annotated[float, Field(ge=0, le=200)] = 30.0
    """eV/Å², as the other three."""
    stiffness_desorption: Annotated[float, Field(ge=0, le=200)] = 10.0
    stiffness_intercalation: Annotated[float, Field(ge=0, le=200)] = 20.0
    stiffness_reconstruction: Annotated[float, Field(ge=0, le=200)] = 10.0


class Hopping(_Parameters):
    hops: Annotated[int, Field(ge=0, le=1000)] = 10
    """Escapes per walker; 0 is plain relaxation of the placements."""
    walkers: Annotated[int, Field(ge=1, le=500)] = 4
    """How many placements of each search member go on to hop: those whose minima are distinct, sound and lowest."""
    max_force_calls: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Force calls that one walker may use; looked at between hops."""
    patience: Annotated[int, Field(ge=1, le=1000)] = 10
    """Stop when this many rounds brought the job no better minimum."""
    lag: Annotated[int, Field(ge=1, le=100)] = 2
    """At round r a walker knows what all walkers of the job found up to round r - lag."""
    temperature_k: Annotated[float, Field(gt=0, le=10000)] = 2000.0
    max_temperature_k: Annotated[float, Field(gt=0, le=20000)] = 4000.0
    beta1: Annotated[float, Field(ge=1, le=3)] = 1.1
    beta2: Annotated[float, Field(ge=1, le=3)] = 1.1
    beta3: Annotated[float, Field(gt=0, le=1)] = 1 / 1.1
    energy_window: Annotated[float, Field(gt=0, le=10)] = 0.5
    """Initial E_diff, eV."""
    alpha1: Annotated[float, Field(gt=0, le=1)] = 0.98
    alpha2: Annotated[float, Field(ge=1, le=3)] = 1 / 0.98
    mdmin: Annotated[int, Field(ge=1, le=20)] = 2
    """Minima of the potential energy that MD passes before it stops."""
    masses: Masses = Masses.CURVATURE
    stride: Annotated[float, Field(gt=0, le=1.5)] = 0.6
    """Time step with masses from curvature, as a share of the modes' period over 2π."""
    timestep_fs: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Time step with atomic masses."""
    confined: bool = True
    """An escape starts with the adsorbate moving and the slab at rest."""
    softening: Annotated[int, Field(ge=0, le=100)] = 0
    """Force calls spent on turning the start of an escape towards a direction of low curvature."""
    max_md_steps: Annotated[int, Field(ge=1, le=10000)] = 300
    fmax: Annotated[float, Field(gt=0, le=1)] = 0.05
    max_relaxation_steps: Annotated[int, Field(ge=1, le=5000)] = 200
    max_step: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Longest move of one atom in one BFGS step, Å."""
    model_curvature: bool = True
    """Relaxations start from a model of the curvature instead of a constant."""
    damped: bool = True
    """Relaxations learn by Powell's damped updates instead of ASE's."""
    turning: bool = True
    """Relaxations turn the molecule as a whole instead of along the tangent."""


class Similarity(_Parameters):
    """Two candidates are the same minimum when both tolerances are met."""

    energy: Annotated[float, Field(gt=0, le=1)] = 0.02
    """eV."""
    distance: Annotated[float, Field(gt=0, le=2)] = 0.2
    """Largest difference between the sorted contact and internal distances of the adsorbate (services.geometry.similarity), Å."""


class _Members(_Parameters):
    """Which member does what."""

    search_members: Annotated[tuple[MemberName, ...], Field(max_length=10)] = ()
    """Members that run walkers; empty means the server's default."""
    refine_members: Annotated[tuple[MemberName, ...], Field(max_length=10)] = ()
    """Members that relax the distinct sound minima again, so that a cheap member may search; what they relax is what is
    scored. Empty: what the search members found is scored as it is."""
    score_members: Annotated[tuple[MemberName, ...], Field(max_length=10)] = ()
    """Members that score every candidate; empty means the server's default."""


class _Judging(_Parameters):
    """What is made of the members' energies."""

    weights: Weights = {}
    """For a weighted mean; 1 for a member that isn't named. The spread knows no weights."""
    spread: Spread = Spread.STD
    limit: Limit = 0.3
    """Largest spread that is trusted, eV, or `calibrated`."""
    functional: Functional = "RPBE"
    """Of the calibration that is asked for."""
    calibration: CalibrationNumber | None = None
    """The calibration, by its number: a published one, or a proposal of one's own. None takes the one that is in force."""

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.calibration is not None and self.limit != CALIBRATED:
            raise ValueError(
                f"calibration is of the limit `{CALIBRATED}`: give that, or a limit in eV without a calibration"
            )
        return self


# Fields stand in the order of the bases, the last one first.
class Ensemble(_Judging, _Members):
    scale: ScaleChoice = ScaleChoice.MEMBER
    """What the gas molecules' energies are taken from."""
    score_steps: Annotated[int, Field(ge=0, le=200)] = 10
    """Most steps that a member relaxes a candidate for before it scores it, where another member found it; each is a force call. It
    ends before at `hopping.fmax`. 0: one evaluation at the candidate's own geometry."""


class Selection(_Parameters):
    count: Count = 5
    window: Window | None = None
    """Nothing further above the lowest minimum is chosen, eV."""
    include_anomalous: bool = False


class _ScoredBy(_Parameters):
    members: ScoringMembers
    """Those that the mean and the spread are taken over."""


class Choosing(Selection, _Judging, _ScoredBy):
    """How candidates are scored, filtered and chosen: what a finished job can be asked again with, no new search."""


class OwnReference(_Parameters):
    """The reference of an element: total energies of an elemental molecule or crystal, or its chemical potential. It comes before
    what OC20's gas molecules say of H, C, N and O."""

    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9()\[\], _-]{0,39}$")]
    """What it is, shown with each energy: `S8(g)`, `Cl2(g)`, `Na(bcc)`."""
    atoms: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many atoms the energies are of; 1 where they are chemical potentials."""
    energies: Annotated[dict[MemberName, float], Field(min_length=1, max_length=20)]
    """Total energy, eV, by member: each member's own, since members have no common scale."""


NO_REFERENCES: Mapping[str, OwnReference] = MappingProxyType({})


class JobParameters(_Parameters):
    """Everything that steers a job. A job's answer is a function of its input, these, and the seed."""

    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    placement: Placement = Placement()
    restraints: Restraints = Restraints()
    hopping: Hopping = Hopping()
    similarity: Similarity = Similarity()
    ensemble: Ensemble = Ensemble()
    selection: Selection = Selection()
    references: Annotated[dict[str, OwnReference], Field(max_length=20)] = {}
    """By element symbol: references of one's own. Other elements than H, C, N and O need them; of these they take the place of the
    gas molecules."""
    max_force_calls: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Force calls that the walkers of the job may use together; looked at between hops. None leaves it to the hops."""
    max_wall_s: Annotated[float, Field(gt=0, le=10**7)] | None = None
    """Seconds after its start at which the job's walkers stop before their next hop. What is found by then depends on the
    machine: the one exception to an answer that is a function of input and seed, and the job says so."""

    @model_validator(mode="after")
    def _temperatures(self) -> Self:
        if self.hopping.max_temperature_k < self.hopping.temperature_k:
            raise ValueError("max_temperature_k is below temperature_k")
        return self

    @field_validator("references")
    @classmethod
    def _labelled_elements(cls, references: dict[str, OwnReference]) -> dict[str, OwnReference]:
        for symbol in references:
            if atomic_numbers.get(symbol, 0) < 1:
                raise ValueError(f"{symbol[:10]} is no element: name references by element symbol, such as S")
        labels = [reference.label for reference in references.values()]
        if len(set(labels)) < len(labels) or set(map(in_gas, GAS)) & set(labels):
            raise ValueError("each reference needs a label of its own")
        return references

    def choosing(self, members: tuple[str, ...]) -> Choosing:
        """How this job chooses, with the members that score it."""
        judging = {name: getattr(self.ensemble, name) for name in _Judging.model_fields}
        return Choosing(members=members, **judging, **dict(self.selection))
