"""The registry: what comes with the project, the administrator's file, refusals, and nothing heavy before it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.forces.potential import EnergyKind
from shared.errors import InvalidInput, MachineryFailure, Misconfigured
from shared.settings import Settings
from worker.potentials import elements, identity, registry
from worker.potentials.entry import Limits, RegistryEntry
from worker.potentials.families import FAMILIES

ROOT = Path(__file__).resolve().parents[3]
# echo -n abc | sha256sum
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
OWN = f"""
[[member]]
name = "site-eqv2"
family = "equiformer_v2"
path = "eqv2.pt"
sha256 = "{ABC}"
energy_kind = "adsorption"
"""


def written(tmp_path, text):
    (tmp_path / "members.toml").write_text(text)
    return tmp_path / "members.toml"


def test_unknown_member_is_refused_with_the_known_names():
    with pytest.raises(InvalidInput, match=r"'chgnet'; known are emt, chgnet-0.3.0, ") as refusal:
        registry.load("chgnet")
    assert refusal.value.field == "members"


@pytest.mark.parametrize("setting", ["default_search_members", "default_score_members"])
def test_default_members_exist(setting):
    defaults = Settings.model_fields[setting].default
    assert defaults
    assert set(defaults) <= set(registry.names())


def test_loading_emt_imports_no_torch():
    script = "import sys; from worker.potentials import registry; registry.load('emt'); print('torch' in sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert finished.stdout.strip() == "False"
    assert finished.stderr == ""


@pytest.mark.parametrize("name", registry.names())
def test_every_shipped_member_has_the_checkpoint_that_it_names(name):
    entry = registry.shipped()[name]
    assert entry.path is None
    assert entry.trained_on
    assert entry.license
    if FAMILIES[entry.family].checkpoint:
        assert identity.checkpoint(entry).is_file()


def test_published_members_are_known_and_say_how_to_get_them():
    known = registry.read(None)
    assert {"eqv2-83m-oc20-2m", "gemnet-oc-oc20-2m", "escn-l6-m2-oc20-2m", "eqv2-31m-oc20-all-md"} <= set(
        known.published
    )
    for member in known.published.values():
        assert member.energy_kind is EnergyKind.ADSORPTION
        assert str(member.address).startswith("https://dl.fbaipublicfiles.com/opencatalystproject/models/")
    with pytest.raises(InvalidInput, match=r"worker\.models fetch escn-l6-m2-oc20-2m"):
        known["escn-l6-m2-oc20-2m"]


def test_a_site_adds_members_of_its_own(tmp_path):
    more = 'elements = ["H", "C-O", "Pt"]\nlimits = { devices = ["cuda"], memory_gib = 6, batch_atoms = 4000 }\n'
    entry = registry.read(written(tmp_path, OWN + more))["site-eqv2"]
    assert entry == RegistryEntry(
        name="site-eqv2",
        family="equiformer_v2",
        path=tmp_path / "eqv2.pt",
        sha256=ABC,
        energy_kind=EnergyKind.ADSORPTION,
        elements=frozenset({1, 6, 7, 8, 78}),
        limits=Limits(frozenset({"cuda"}), 6.0, 4000),
    )
    assert len(registry.read(written(tmp_path, OWN))["site-eqv2"].elements) == 56  # OC20's, where the entry names none
    assert "site-eqv2" not in registry.names()


def test_a_file_that_is_not_there_yet_adds_nothing(tmp_path):
    assert registry.read(tmp_path / "members.toml").entries.keys() == registry.shipped().entries.keys()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            OWN.replace("equiformer_v2", "equiformer"),
            r"member site-eqv2: family: 'equiformer' is no family; known are emt",
        ),
        (OWN + OWN, "site-eqv2 stands there twice"),
        (OWN.replace("site-eqv2", "emt"), "emt is the name of a member that comes with Adhop"),
        (OWN.replace("site-eqv2", "Site/../x"), "name: String should match pattern"),
        (OWN.replace(ABC, "abc"), "sha256: String should match pattern"),
        (OWN.replace(f'sha256 = "{ABC}"', ""), "sha256 is missing"),
        (OWN.replace('path = "eqv2.pt"', ""), "path is missing: the weights of EquiformerV2 come in no package"),
        (OWN.replace('"adsorption"', '"free"'), "energy_kind: Input should be 'total' or 'adsorption'"),
        (OWN + 'elements = ["Pt-H"]', "'Pt-H' is no element and no range"),
        (OWN + 'precision = "float16"', "precision of EquiformerV2 is float32, not 'float16'"),
        (OWN + "options = { colour = 1 }", "EquiformerV2 has no option colour"),
        (OWN + "limits = { devices = ['tpu'] }", "limits.devices"),
        (OWN + "sha = 1", "sha: Extra inputs are not permitted"),
        ("[member]\nname = 'x'", "the file holds \\[\\[member\\]\\] tables and nothing else"),
        ("[[models]]\nname = 'x'", "models: the file holds"),
        ("member = [1]", "member number 1: "),
        ("[[member", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_what_to_change(tmp_path, text, complaint):
    with pytest.raises(Misconfigured, match=complaint) as refusal:
        registry.read(written(tmp_path, text))
    assert str(tmp_path / "members.toml") in str(refusal.value)


def test_another_file_under_a_members_name_is_refused_naming_both(tmp_path):
    entry = registry.read(written(tmp_path, OWN))["site-eqv2"]
    (tmp_path / "eqv2.pt").write_bytes(b"abc")
    assert identity.checkpoint(entry) == tmp_path / "eqv2.pt"
    (tmp_path / "eqv2.pt").write_bytes(b"abd")
    with pytest.raises(MachineryFailure, match=rf"eqv2\.pt: SHA-256 is a52d159f.*not the registered {ABC}"):
        identity.checkpoint(entry)


def test_a_member_that_cannot_run_here_says_why(tmp_path):
    entry = registry.read(written(tmp_path, OWN + 'limits = { devices = ["cuda"] }'))["site-eqv2"]
    assert "allows cuda, and this worker runs on cpu" in str(registry.absence(entry, "cpu"))
    assert "eqv2.pt isn't there" in str(registry.absence(entry, "cuda"))
    with pytest.raises(Misconfigured, match=r"site-eqv2 can't be loaded: its file .*eqv2\.pt isn't there"):
        registry.load(entry, device="cuda")


@pytest.mark.parametrize(("family", "environment"), [("mace", "mace"), ("uma", "uma")])
def test_a_family_of_another_environment_says_which(family, environment):
    assert f"belongs to a worker of the environment `{environment}`" in str(FAMILIES[family].absence())


def test_elements_are_written_shortest_and_read_back():
    assert elements.words({1, 5, 6, 7, 8, 28, 29, 78}) == ["H", "B-O", "Ni", "Cu", "Pt"]
    for numbers in ({1}, {1, 2}, elements.OC20, set(range(1, 119))):
        assert elements.parse(elements.words(numbers)) == numbers
    for word in ("Xx", "h", "", "H-", "Pt-H", "H-C-O", "*"):
        with pytest.raises(ValueError, match="no element"):
            elements.parse([word])


def test_an_entry_may_not_promise_elements_that_its_checkpoint_lacks():
    entry = RegistryEntry("x", "sevennet", None, ABC, EnergyKind.TOTAL, elements=frozenset({1, 8, 92}))
    assert identity.agreed(entry, frozenset(range(1, 93))) == {1, 8, 92}
    with pytest.raises(Misconfigured, match="names U, which its checkpoint doesn't know"):
        identity.agreed(entry, frozenset(range(1, 84)))
