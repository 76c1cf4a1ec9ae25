"""One candidate by every way out: JSON, extended XYZ, DFT inputs; atoms in the order they were given in."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import numpy as np
import pytest
from ase import Atoms
from ase.io import read
from sqlalchemy.orm import Session

from services.systems.assembly import assemble
from shared.database.repositories.structures import keep
from shared.database.repositories.users import Role, create_key
from shared.database.tables import Candidate, Job, JobReference, MemberEnergy, Placement, Reference, Walker
from shared.parameters import Choosing
from shared.states import State
from shared.structures import Floats, Structure
from shared.submissions import AdslabSubmission
from tests.api.structures import adslab
from tests.shared.database.jobs import add_job
from tests.shared.database.test_selections import decided

REFERENCE = "relaxed clean slab + CO(g)"
MEMBERS = ("alpha", "beta", "direct")


def shuffled() -> Atoms:
    """CO on Pt(111), the molecule's atoms first and in the middle."""
    atoms = adslab()
    return atoms[np.random.default_rng(3).permutation(len(atoms))]


@dataclass(frozen=True)
class Finished:
    """A job that chose one of its three candidates, and what it was given."""

    id: str
    given: Atoms
    candidates: list[int]
    chosen: int
    client: httpx.Client


@pytest.fixture
def finished(service) -> Iterator[Finished]:
    given, user = shuffled(), f"reader-{uuid4()}"
    with service.opened.begin() as session:
        job = add_job(session, user=user, walkers=0)
        inside = submitted(job, given)
        made = [
            candidate(session, job, inside, index, energies)
            for index, energies in enumerate([(-1.0, -1.02, -1.01), (-2.0, -1.2, -1.5), (-0.5, -0.5, -0.5)])
        ]
        made[2].anomalies, made[2].site = ["dissociated", "desorbed"], "none"
        relaxed(session, job, inside.only(inside.slab))
        decided(session, job, Choosing(members=MEMBERS))
        session.flush()
        key = create_key(session, user, Role.SUBMIT)
        ids, job_id = [one.id for one in made], str(job.id)
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}) as client:
        yield Finished(job_id, given, ids, ids[0], client)


def submitted(job: Job, given: Atoms) -> Structure:
    """Lets the job be one of this adslab; the adslab as it stands inside."""
    submission = AdslabSubmission(structure=Structure.from_oc_atoms(given).to_document())
    job.submission = submission.model_dump(mode="json")
    job.search_members, job.score_members = ["alpha"], list(MEMBERS)
    inside = assemble(submission).first
    assert inside is not None
    return inside


def candidate(session: Session, job: Job, inside: Structure, index: int, energies: tuple[float, ...]) -> Candidate:
    placed = {"structure_id": keep(session, inside), "positions": raised(inside.positions, 0.3 * index)}
    placement = Placement(job_id=job.id, index=index, site="top", method="test", **placed)
    session.add(placement)
    session.flush()
    walker = Walker(job_id=job.id, placement_id=placement.id, member="alpha", state=State.SUCCEEDED)
    session.add(walker)
    session.flush()
    made = Candidate(
        job_id=job.id, walker_id=walker.id, hop=0, member="alpha", energy=-90.0 + energies[0], fmax=0.01, converged=True,
        anomalies=[], site="top via C", accepted=True, force_calls=1, **placed,
    )  # fmt: skip
    session.add(made)
    session.flush()
    for member, energy in zip(MEMBERS, energies, strict=True):
        total = energy if member == "direct" else -90.0 + energy
        session.add(
            MemberEnergy(
                job_id=job.id, candidate_id=made.id, member=member, state=State.SUCCEEDED, energy=total,
                adsorption_energy=energy, reference=REFERENCE,
            )
        )  # fmt: skip
    return made


def relaxed(session: Session, job: Job, slab: Structure) -> None:
    """The clean slab by the member that searched."""
    row = Reference(
        member="alpha", digest=str(job.id), kind="slab", label="Pt12", fmax=0.05, max_steps=10,
        structure_id=keep(session, slab), start_positions=slab.positions, positions=slab.positions,
        state=State.SUCCEEDED, energy=-80.0,
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.add(JobReference(job_id=job.id, reference_id=row.id))


def raised(positions: Floats, height: float) -> Floats:
    """Further along z, Å [n_atoms, 3]."""
    return positions + np.array([0, 0, height])


def as_given(atoms: Atoms, given: Atoms, shift: float = 0.0) -> None:
    """Symbols, positions, tags and fixed atoms are those that were sent, in their order."""
    assert atoms.get_chemical_symbols() == given.get_chemical_symbols()
    np.testing.assert_allclose(atoms.positions, raised(given.positions, shift), atol=1e-7)
    np.testing.assert_array_equal(atoms.get_tags(), given.get_tags())
    assert sorted(atoms.constraints[0].index) == sorted(given.constraints[0].index)


def frames(text: str) -> list[Atoms]:
    return read(io.StringIO(text), ":", format="extxyz")


def test_atoms_come_back_in_the_order_given_by_every_way_out(finished):
    get, given = finished.client.get, finished.given
    (minimum,) = get(f"/v1/jobs/{finished.id}/minima").json()["minima"]
    listed = get(f"/v1/jobs/{finished.id}/candidates").json()["candidates"]
    assert [one["id"] for one in listed] == finished.candidates
    for index, one in enumerate([minimum, *listed]):
        structure = one["structure"]
        shift = 0.3 * max(0, index - 1)
        assert structure["numbers"] == given.numbers.tolist()
        assert structure["tags"] == given.get_tags().tolist()
        assert np.flatnonzero(structure["fixed"]).tolist() == sorted(given.constraints[0].index)
        np.testing.assert_allclose(structure["positions"], raised(given.positions, shift), atol=1e-12)
    as_given(frames(get(f"/v1/jobs/{finished.id}/minima?format=extxyz").text)[0], given)
    for index, atoms in enumerate(frames(get(f"/v1/jobs/{finished.id}/candidates?format=extxyz").text)):
        as_given(atoms, given, 0.3 * index)


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("minima?format=extxyz", "-minima.extxyz"),
        ("candidates?format=extxyz", "-candidates.extxyz"),
        ("system?format=extxyz", "-system.extxyz"),
        ("dft-inputs?code=espresso", "-espresso.zip"),
    ],
)
def test_a_file_is_named_by_the_job(finished, path: str, ending: str):
    stem = finished.client.get(f"/v1/jobs/{finished.id}").json()["file_stem"]
    assert stem.endswith(f"-{str(finished.id)[:8]}")
    headers = finished.client.get(f"/v1/jobs/{finished.id}/{path}").headers
    assert headers["Content-Disposition"] == f'attachment; filename="{stem}{ending}"'


def test_dft_inputs_hold_atoms_in_the_order_given(finished):
    packed = finished.client.get(f"/v1/jobs/{finished.id}/dft-inputs?code=extxyz").content
    minimum, slab, *_ = frames(zipfile.ZipFile(io.BytesIO(packed)).read("structures.extxyz").decode())
    as_given(minimum, finished.given)
    of_slab = finished.given.get_tags() != 2
    assert slab.get_chemical_symbols() == finished.given[of_slab].get_chemical_symbols()
    np.testing.assert_allclose(slab.positions, finished.given.positions[of_slab], atol=1e-7)
    packed = finished.client.get(f"/v1/jobs/{finished.id}/dft-inputs?code=espresso").content
    written = zipfile.ZipFile(io.BytesIO(packed)).read(f"rank0-candidate{finished.chosen}/pw.in").decode()
    assert read(io.StringIO(written), format="espresso-in").get_chemical_symbols() == (
        finished.given.get_chemical_symbols()
    )


def test_vasps_inputs_lead_back_to_the_order_given(finished):
    packed = zipfile.ZipFile(io.BytesIO(finished.client.get(f"/v1/jobs/{finished.id}/dft-inputs").content))
    folder = f"rank0-candidate{finished.chosen}"
    poscar = read(io.StringIO(packed.read(f"{folder}/POSCAR").decode()), format="vasp")
    back = np.loadtxt(io.BytesIO(packed.read(f"{folder}/ase-sort.dat")), dtype=int)[:, 1]
    assert poscar[back].get_chemical_symbols() == finished.given.get_chemical_symbols()
    np.testing.assert_allclose(poscar.positions[back], finished.given.positions, atol=1e-6)
    assert sorted(poscar[back].constraints[0].index) == sorted(finished.given.constraints[0].index)


def test_frames_say_what_json_says_of_chosen_and_of_anomalous_candidates(finished):
    first, _, last = frames(finished.client.get(f"/v1/jobs/{finished.id}/candidates?format=extxyz").text)
    assert (first.info["candidate"], first.info["rank"], first.info["site"]) == (finished.chosen, 0, "top via C")
    assert last.info["rank"] is None
    assert last.info["anomalies"] == "dissociated, desorbed"
    assert first.info["anomalies"] == ""
    assert "dissociated" in last.info["verdict"]
    assert first.get_potential_energy() == first.info["energy_alpha"] == -91.0
    assert first.info["energy_beta"] == -91.02
    assert "energy_direct" not in first.info  # it predicts no total
    assert first.info["adsorption_energy_direct"] == -1.01
    views = finished.client.get(f"/v1/jobs/{finished.id}/minima").json()["minima"][0]["energies"]
    assert [one["energy_kind"] for one in views] == ["total", "total", "adsorption"]


def test_pages_of_frames_name_the_next_one(finished):
    found, address = [], f"/v1/jobs/{finished.id}/candidates?format=extxyz&limit=2"
    while address:
        page = finished.client.get(address)
        assert page.headers["content-type"].startswith("chemical/x-xyz")
        found += [atoms.info["candidate"] for atoms in frames(page.text)]
        address = page.links.get("next", {}).get("url")
    assert found == finished.candidates
