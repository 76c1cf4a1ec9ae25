"""Whose gas molecules a member's energies are relative to: shipped, the site's own, and what is usual."""

from pathlib import Path

import pytest

from services.forces.potential import EnergyKind
from shared.errors import Misconfigured
from shared.scales import OC20, OWN_GAS, PREDICTED, ScaleKind
from tests.shared.test_scales import GIVEN, fitted
from worker.members import registration
from worker.potentials import references_file, registry
from worker.potentials.entry import RegistryEntry

OFFLINE = ("chgnet-0.3.0", "chgnet-r2scan", "sevennet-0", "sevennet-l3i5", "sevennet-mf-0-pbe", "sevennet-mf-0-r2scan")


def test_offline_members_come_with_constants_of_their_own_checkpoint():
    for name in OFFLINE:
        entry = registry.shipped()[name]
        assert entry.scale.kind is ScaleKind.FITTED
        fit = entry.scale.fit
        assert (fit.set, fit.functional, fit.labels, fit.checkpoint) == ("PengRole2020", "BEEF-vdW", 164, entry.sha256)
        assert set(entry.scale.energies) == {"H", "C", "O"}
        assert 0.2 < fit.metal_left_out < 0.5
        assert {"Pt", "Cu"} < fit.by_metal.keys()
        assert {"CO", "H", "OH"} < fit.by_adsorbate.keys()
        assert registration.of_entry(entry).scale["fit"]["metal_left_out"] == fit.metal_left_out
    assert len({registry.shipped()[name].scale.words([6, 8]) for name in OFFLINE}) == 1
    assert registry.shipped()["emt"].scale == OWN_GAS


@pytest.mark.parametrize(
    ("family", "kind", "options", "scale"),
    [
        ("uma", EnergyKind.TOTAL, {}, OC20),
        ("uma", EnergyKind.TOTAL, {"task_name": "oc20"}, OC20),
        ("uma", EnergyKind.TOTAL, {"task_name": "omat"}, OWN_GAS),
        ("sevennet", EnergyKind.TOTAL, {"head": "oc20"}, OC20),
        ("sevennet", EnergyKind.TOTAL, {"head": "oc22"}, OWN_GAS),
        ("mace", EnergyKind.TOTAL, {}, OWN_GAS),
        ("escn", EnergyKind.ADSORPTION, {}, PREDICTED),
    ],
)
def test_what_is_usual(family, kind, options, scale):
    assert RegistryEntry("x", family, Path("x"), "0" * 64, kind, options=options).scale == scale


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site's file of members, with a UMA and an eSCN."""
    file = tmp_path / "members.toml"
    table = '[[member]]\nname = "{0}"\nfamily = "{1}"\npath = "x"\nsha256 = "{2}"\nenergy_kind = "{3}"\n'
    members = (("site-uma", "uma", "1" * 64, "total"), ("site-escn", "escn", "2" * 64, "adsorption"))
    file.write_text("".join(table.format(*one) for one in members))
    return file


def test_the_site_s_file_comes_before_what_is_shipped_and_is_read_back_as_it_was_written(site: Path):
    own = {"site-uma": GIVEN, "emt": fitted(), "chgnet-0.3.0": OWN_GAS}
    references_file.write(references_file.beside(site), own)
    known = registry.read(site)
    assert {name: known[name].scale for name in own} == own
    assert known["sevennet-0"].scale.kind is ScaleKind.FITTED
    again = {"site-uma": replace_label("another")}
    references_file.write(references_file.beside(site), again)
    known = registry.read(site)
    assert known["site-uma"].scale.label == "another"
    assert known["emt"].scale == fitted()


def replace_label(label: str):
    return GIVEN.model_copy(update={"label": label})


def test_constants_without_energies_are_oc20_s(site: Path):
    references_file.beside(site).write_text('["site-uma"]\nkind = "constants"\n')
    assert registry.read(site)["site-uma"].scale == OC20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('["nobody"]\nkind = "own gas"\n', "nobody: there is no such member"),
        ('["site-escn"]\nkind = "own gas"\n', "`predicted` is for members that predict adsorption energies"),
        ('["site-uma"]\nkind = "predicted"\n', "`predicted` is for members that predict adsorption energies"),
        ('["site-uma"]\nkind = "given"\nenergies = { C = 1 }\n', "site-uma: .*need energies by element, and a label"),
        ('["site-uma"]\nkind = "measured"\n', "site-uma: kind: Input should be"),
        ("kind = ", "is not TOML"),
    ],
)
def test_what_can_not_be_used_is_refused_by_name(site: Path, text: str, said: str):
    references_file.beside(site).write_text(text)
    with pytest.raises(Misconfigured, match=said):
        registry.read(site)


def test_constants_of_another_checkpoint_are_refused(site: Path):
    references_file.write(references_file.beside(site), {"site-uma": fitted()})
    with pytest.raises(Misconfigured, match=r"fitted with another checkpoint, SHA-256 0000.*fit them anew"):
        registry.read(site)


def test_cautions_are_named_or_written_out(site: Path):
    text = site.read_text()
    site.write_text(text.replace('"total"\n', '"total"\ncautions = ["spin", { says = "ours" }]\n'))
    assert [one.says for one in registry.read(site)["site-uma"].cautions][1] == "ours"
    site.write_text(text.replace('"total"\n', '"total"\ncautions = ["charge"]\n'))
    with pytest.raises(Misconfigured, match="charge: no such caution; named ones are mixed-u, rare, spin"):
        registry.read(site)


def test_every_offline_member_minds_oxygen_on_nickel():
    for name in OFFLINE:
        told = [one.says for one in registry.shipped()[name].cautions if one.holds({"Ni", "O"}, {"O": 1})]
        assert any("PBE+U" in one for one in told)
        assert not any(
            "PBE+U" in one.says for one in registry.shipped()[name].cautions if one.holds({"Pt", "O"}, {"O": 1})
        )
