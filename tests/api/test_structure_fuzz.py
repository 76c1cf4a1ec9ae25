"""Random texts in every structure format: each is read, or refused in words; the parser lives on."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.parsing.pool import Parsed, Parsers
from shared.errors import InvalidInput
from tests.api.structures import slab, text

FORMATS = ("extxyz", "poscar", "cif", "ase-json")
SEEDS = {
    "extxyz": text(slab())["text"],
    "poscar": "Pt\n1.0\n5 0 0\n0 5 0\n0 0 20\nPt\n2\nDirect\n0 0 0\n0.5 0.5 0.1\n",
    "cif": (
        "data_x\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c 5\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
        "_cell_angle_gamma 90\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nPt 0 0 0\n"
    ),
    "ase-json": '{"numbers": [78], "positions": [[0, 0, 0]], "cell": [[5, 0, 0], [0, 5, 0], [0, 0, 20]], "pbc": [true, true, true]}',
}
WORDS = (
    "-1",
    "0",
    "1e400",
    "nan",
    "inf",
    "999999999",
    '"',
    "'",
    "[",
    "]",
    "{",
    "}",
    "=",
    "@",
    "\n",
    "\t",
    "\x00",
    "é",
    "Xx",
    "H",
)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    made = Parsers(size=1)
    yield made
    made.close()


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str]:
    """A good text with pieces cut out, doubled, or replaced; or no structure at all."""
    form = draw(st.sampled_from(FORMATS))
    whole = draw(st.one_of(st.just(SEEDS[form]), st.sampled_from(list(SEEDS.values())), st.text(max_size=200)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.integers(0, 12)))
        new = draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=6), st.just(whole[start:end] * 2)))
        whole = whole[:start] + new + whole[end:]
    return form, whole


def read(parsers: Parsers, form: str, whole: str) -> Parsed | str:
    try:
        return parsers.parse(form, whole, max_atoms=400, field="input.slab")
    except InvalidInput as refusal:
        return str(refusal)


def test_the_seeds_are_structures(parsers):
    for form, whole in SEEDS.items():
        assert isinstance(read(parsers, form, whole), Parsed), form


@given(damaged())
@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_text_is_read_or_refused_in_words(parsers, case):
    form, whole = case
    found = read(parsers, form, whole)
    if isinstance(found, str):
        assert 10 < len(found) < 500
        assert "Traceback" not in found
    else:
        assert 1 <= len(found.numbers) <= 400
        assert len(found.positions) == len(found.numbers)
        assert all(abs(x) < float("inf") for row in (*found.positions, *found.cell) for x in row)
