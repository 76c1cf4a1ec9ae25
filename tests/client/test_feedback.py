"""Energies from files as people and their spreadsheets write them."""

import io

import pytest
from adhop import AdhopError, feedback
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

TOTALS = [{"adslab": -75.0, "slab": -60.0, "gas": {"CO": -14.5}}]


def fed(path, **said):
    return feedback.read(path, **({"functional": "RPBE", "code": "VASP", "provenance": "x"} | said))


def energies(tmp_path, text: str | bytes, name: str = "e.csv") -> list:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(key, body.get("adsorption_energy", body.get("totals"))) for key, body in fed(tmp_path / name)]


HAND_OFF = "name,total_energy_eV\nrank0-candidate91,-75.0\nslab,-60.0\ngas-CO,-14.5\n"
GERMAN = HAND_OFF.replace(",", ";").replace(".", ",")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + HAND_OFF, id="byte-order mark"),
        pytest.param(HAND_OFF.encode("utf-16"), id="UTF-16, as Unicode text"),
        pytest.param(GERMAN, id="semicolons and decimal commas"),
        pytest.param("\ufeff" + GERMAN.replace("\n", "\r\n"), id="the same with Windows' line ends and a mark"),
        pytest.param("sep=;\r\n" + GERMAN, id="a line that names the separator"),
        pytest.param(GERMAN.replace(";", "\t"), id="tabs"),
        pytest.param(HAND_OFF.replace("\n", "\r"), id="old line ends"),
        pytest.param('"name","total_energy_eV"\n"rank0-candidate91","-75,0"\n"slab","-60,0"\n"gas-CO","-14,5"\n', id="quotes"),
        pytest.param(HAND_OFF.replace("total_energy_eV", "Total energy (eV)").replace("name", "Name"), id="names of columns"),
        pytest.param(HAND_OFF.replace(",", " , ").replace("-75.0", "\u221275.0\u00a0"), id="spaces and a real minus"),
        pytest.param(HAND_OFF.replace("\n", ",,,\n") + ",,,\n,,,\n\n", id="empty cells and rows at the end"),
        pytest.param(HAND_OFF.replace("\n", ",Müller\n").encode("cp1252"), id="an older character set"),
        pytest.param(HAND_OFF.replace("-75.0", "-75.0 eV"), id="units in cells"),
    ],
)  # fmt: skip
def test_spreadsheets_are_read_whatever_they_make_of_the_table(tmp_path, text):
    assert energies(tmp_path, text) == [(91, TOTALS[0])]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("-1.234", -1.234), ('"-1,42"', -1.42), ('"-1,234.5"', -1234.5), ('"-1.234,5"', -1234.5), ("-1 234.5", -1234.5), ("1e-1", 0.1)],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written(tmp_path, cell, value):
    assert energies(tmp_path, f"candidate,adsorption_energy\n7,{cell}\n") == [(7, pytest.approx(value))]


def test_with_semicolons_a_lone_comma_is_decimal_and_thousands_are_marked_by_points(tmp_path):
    text = "candidate;adsorption_energy;code\n7;-1,234;A, B\n8;-1.234,5;\n"
    assert energies(tmp_path, text) == [(7, -1.234), (8, -1234.5)]


def test_the_table_of_minima_is_fed_back_with_a_column_more(tmp_path):
    text = "rank,site,chgnet-0.3.0 (eV),mean (eV),candidate,Adsorption energy [eV],functional\n0,top via C,-1.2,-1.3,91.0,-1.45,PBE\n"
    (tmp_path / "m.csv").write_text(text)
    ((candidate, body),) = fed(tmp_path / "m.csv")
    assert (candidate, body["adsorption_energy"], body["functional"]) == (91, -1.45, "PBE")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("candidate,adsorption_energy\n7,-1,42\n", r"line 2 has 3 cells, and the first line names 2 columns: is a decimal comma"),
        ("candidate,adsorption_energy\n7,-1.0\n\n8,abc\n", r"line 4, column adsorption_energy: 'abc' is no number"),
        ('candidate,adsorption_energy\n7,"-1,234"\n', r"line 2, column adsorption_energy: '-1,234' may be a thousand or a fraction"),
        ("candidate;adsorption_energy\n7;-1,5\n8;-1.234\n", r"line 3, .* '-1.234' may be a thousand"),
        ("candidate,adsorption_energy\n7,#REF!\n", r"line 2, column adsorption_energy: '#REF!' is no number"),
        ("candidate,adsorption_energy (meV)\n7,-1500\n", r"energies are in eV here, not in mev"),
        ("name,total_energy_Ry\nslab,-1500\n", r"energies are in eV here, not in ry"),
        ("candidate,candidate,adsorption_energy\n7,7,-1\n", "two columns candidate"),
        ("candidate,adsorption_energy,total_energy_eV\n7,-1,-75\n", "line 2 has adsorption_energy and total_energy: give one"),
        ("candidate,adsorption_energy\nx7,-1\n", r"line 2, column candidate: 'x7' is no candidate's number"),
        ("candidate,adsorption_energy\n,-1\n", "line 2 has an energy, and doesn't say of which candidate"),
        ("name,total_energy_eV\nrank0candidate9,-1\nslab,-1\n", "line 2, column name: 'rank0candidate9' is none of"),
        ("name,total_energy_eV\nrank0-candidate9,-1\nslab,-1\nslab,-2\n", "line 4, column name: slab stands there for the second"),
        ("x;y\n1;2\n", "the first line must name the columns: .*; it is 'x;y'"),
        (b"PK\x03\x04rest", "this is a workbook: save the sheet as CSV"),
        ("", "must name the columns"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_column(tmp_path, text, why):
    with pytest.raises(AdhopError, match=why) as refused:
        energies(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path / 'e.csv'}: ")
    assert "\n" not in str(refused.value)


def frame(candidate: int, bare: float, **info) -> Atoms:
    """As `adhop minima -o` writes it."""
    atoms = Atoms("CO", [[0, 0, 0], [0, 0, 1.1]])
    atoms.info = {"candidate": candidate, "found_by": "a", "bare_energy": bare, "energy_a": bare, "mean": -1.0} | info
    atoms.calc = SinglePointCalculator(atoms, energy=bare)
    return atoms


def test_frames_with_an_adsorption_energy_are_read_and_a_members_own_energy_is_not(tmp_path):
    path = tmp_path / "minima.extxyz"
    write(path, [frame(7, -90.0, adsorption_energy=-1.5), frame(8, -89.0)], format="extxyz")
    assert [(key, body["adsorption_energy"]) for key, body in fed(path)] == [(7, -1.5)]
    write(path, [frame(7, -90.0), frame(8, -89.0)], format="extxyz")
    with pytest.raises(AdhopError, match="holds no energies"):
        fed(path)


def test_frames_computed_again_bring_total_energies_beside_slab_and_gas(tmp_path):
    path = tmp_path / "dft.extxyz"
    computed, slab, gas = frame(7, -90.0), Atoms("Pt"), Atoms("CO")
    slab.info, gas.info = {"name": "slab"}, {"name": "gas-CO"}
    for atoms, energy in ((computed, -75.0), (slab, -60.0), (gas, -14.5)):
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
    write(path, [computed, frame(8, -89.0), slab, gas], format="extxyz")
    assert [(key, body["totals"]) for key, body in fed(path)] == [(7, TOTALS[0])]
    write(path, [computed], format="extxyz")
    with pytest.raises(AdhopError, match="frame 1 has a total energy, and the total energy of the slab is missing"):
        fed(path)
    assert read(io.StringIO(path.read_text()), format="extxyz").info["candidate"] == 7
