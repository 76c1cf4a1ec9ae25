"""Molecules by SMILES in a new job, and what there is to do stays in sight."""

import json
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from shared.database.repositories.users import Role, create_key
from shared.database.tables import Job
from tests.web.test_looks import POSCAR


@pytest.fixture
def started(visit, service):
    """A new job on a slab from a file."""
    name = f"organic-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        key = create_key(session, name, Role.SUBMIT)
    visit.sign_in(key)
    page = visit.go("/new")
    page.set_input_files("#structure-file", {"name": "POSCAR", "mimeType": "text/plain", "buffer": POSCAR})
    return page


def test_a_molecule_by_its_smiles(started, service):
    pytest.importorskip("rdkit")
    page = started
    side = page.get_by_label("What was understood").first
    page.get_by_role("button", name="SMILES").click()
    expect(side).to_contain_text("Give the molecule's SMILES, and build it.")
    page.get_by_label("SMILES", exact=True).fill("[CH2]O")
    page.keyboard.press("Enter")
    expect(side).to_contain_text("Say which atoms of the molecule point at the surface.")
    expect(page.get_by_role("group", name="Atoms that point at the surface").get_by_role("checkbox")).to_have_count(5)
    page.get_by_label("C 0", exact=True).check()
    expect(side).to_contain_text("5 atoms, C down")
    queue = page.get_by_role("button", name="Queue this job")
    expect(queue).to_be_enabled()
    queue.click()
    page.locator(".job-head").wait_for()
    with service.opened.begin() as session:
        job = session.get(Job, page.url.rpartition("/")[2])
        sent = job.submission["adsorbate"]
    assert sorted(sent["numbers"]) == [1, 1, 1, 6, 8]
    assert [sent["numbers"][one] for one in sent["binding"]] == [6]


def test_back_among_oc20s_molecules_the_smiles_is_forgotten(started):
    pytest.importorskip("rdkit")
    page = started
    page.get_by_role("button", name="SMILES").click()
    page.get_by_label("SMILES", exact=True).fill("CO")
    page.get_by_role("button", name="Build it").click()
    page.get_by_label("O 1", exact=True).check()
    page.get_by_role("button", name="OC20's").click()
    expect(page.get_by_label("What was understood").first).to_contain_text("Choose a molecule.")


def test_what_is_no_smiles_is_refused_in_words(started):
    pytest.importorskip("rdkit")
    page = started
    page.get_by_role("button", name="SMILES").click()
    page.get_by_label("SMILES", exact=True).fill("<img src=x>")
    page.get_by_role("button", name="Build it").click()
    expect(page.get_by_role("alert")).to_contain_text("'<img src=x>' is no SMILES that RDKit can read")
    expect(page.get_by_role("button", name="Queue this job")).to_be_disabled()


def test_a_server_without_rdkit_says_so(visit, service):
    def without(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(answer.json() | {"smiles": False}))

    visit.page.route("**/v1/adsorbates", without)
    visit.sign_in(service.key())
    page = visit.go("/new")
    page.get_by_role("button", name="SMILES").click()
    expect(page.locator(".callout")).to_contain_text("This server has no RDKit")
    expect(page.get_by_label("SMILES", exact=True)).to_have_count(0)


def test_what_there_is_to_do_stays_in_sight(started):
    page = started
    page.locator("button[title='*CO']").click()
    queue = page.get_by_role("button", name="Queue this job")
    expect(queue).to_be_enabled()
    page.evaluate("window.scrollTo(0, 0)")
    expect(queue).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("width", [330, 900])
def test_all_atoms_are_in_the_picture_whatever_its_shape(started, width):
    """Of what is drawn, the cell alone may reach the picture's edge: its lines are a pixel or two wide, an atom is many."""
    page = started
    page.locator("button[title='*CO']").click()
    page.locator(".viewer canvas").wait_for()
    page.evaluate("width => { document.querySelector('.viewer .canvas').style.width = `${width}px`; }", width)
    page.wait_for_timeout(2000)
    seen = page.evaluate(RUNS)
    assert seen["drawn"] > 2000
    assert seen["longest"] < 8, seen


RUNS = """async () => {
    const canvas = document.querySelector(".viewer canvas");
    await new Promise(requestAnimationFrame);
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const into = copy.getContext("2d");
    into.drawImage(canvas, 0, 0);
    const { data, width, height } = into.getImageData(0, 0, copy.width, copy.height);
    const seen = (x, y) => data[4 * (y * width + x) + 3] > 128;
    const edges = [
        Array.from({ length: width }, (_, x) => seen(x, 0)), Array.from({ length: width }, (_, x) => seen(x, height - 1)),
        Array.from({ length: height }, (_, y) => seen(0, y)), Array.from({ length: height }, (_, y) => seen(width - 1, y)),
    ];
    let longest = 0;
    for (const edge of edges) {
        let run = 0;
        for (const one of edge) longest = Math.max(longest, (run = one ? run + 1 : 0));
    }
    let drawn = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] > 128) drawn += 1;
    return { longest, drawn };
}"""
