"""What a person sees: progress and tables."""

import io

import numpy as np
from adhop import tables
from adhop.progress import Progress
from rich.console import Console

from services.scoring.selection import choose
from shared.parameters import Choosing
from shared.scored import Pool


def finding(key: int, energies: dict[str, float], **values) -> dict:
    mean = sum(energies.values()) / len(energies)
    return {
        "id": key,
        "member": "a",
        "site": "top via C",
        "duplicate_of": None,
        "energies": [
            {
                "member": name,
                "adsorption_energy": energy,
                "relaxation_steps": 0 if name == "a" else 5,
                "displacement": None if name == "a" else 0.0812,
                "left_minimum": None,
            }
            for name, energy in energies.items()
        ],
        "score": {
            "mean": mean,
            "std": 0.1,
            "range": 0.2,
            "relative": 0.05,
            "n": len(energies),
            "passes": True,
            "reason": "",
            "same_as": None,
            "verdict": "chosen",
            "missing": [],
        },
        **values,
    }


BODY = {
    "minima": [finding(1, {"b-1": -1.8, "a": -1.6}, rank=0, low_confidence=False, reason="")],
    "unit": "eV",
    "reference": "relaxed clean slab + CO(g)",
}
JOB = {
    "state": "running",
    "stage": "searching",
    "adsorbate": "*CO",
    "surface": "Pt12",
    "waiting_for": None,
    "progress": {
        "references": {"done": 2, "total": 2},
        "walkers": {"total": 4, "running": 2, "succeeded": 1, "failed": 1},
        "hops": {"done": 5, "most": 12},
        "candidates": {"total": 5, "distinct": 3},
        "evaluations": {"done": 4, "failed": 0, "total": 9},
        "force_calls": 321,
        "best": {"adsorption_energy": -1.723, "member": "mean", "n_members": 3, "reference": "r"},
    },
}


def shown(renderable: object, width: int = 100) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(renderable)
    return text.getvalue()


def test_every_energy_stands_under_its_member_with_unit_and_reference():
    text = shown(tables.table("Minima", BODY))
    assert "adsorption energies in eV per adslab, relative to relaxed clean slab + CO(g)" in " ".join(text.split())
    row = next(line for line in text.splitlines() if "top via C" in line)
    assert row.split() == ["0", "1", "top", "via", "C", "-1.60", "-1.80", "-1.70", "0.10", "0.20", "0.05", "chosen"]


def test_candidates_that_are_no_minimum_follow_with_why_lowest_first():
    said = "std 0.50 eV exceeds the limit"
    wide = {"mean": -2.0, "std": 0.5, "range": 0.9, "same_as": None, "verdict": said, "missing": []}
    candidates = [
        finding(1, {"a": -1.7}),
        finding(2, {"a": -1.9}, score=wide | {"mean": -1.9}),
        finding(3, {"a": -2.0}, score=wide),
        finding(4, {"a": -2.0}, duplicate_of=3, score=wide),
        finding(5, {"a": -2.0}, score=None),
    ]
    others = tables.others(candidates, BODY["minima"])
    assert [one["id"] for one in others] == [3, 4, 2, 5]
    assert "exceeds" in shown(tables.table("Minima", BODY, others))


def changed(minimum: dict, **of_b: object) -> dict:
    """The minimum with another evaluation by b-1, which didn't find it."""
    own, other = sorted(minimum["energies"], key=lambda one: one["member"])
    return BODY | {"minima": [minimum | {"energies": [own, other | of_b]}]}


def test_the_table_says_which_geometry_an_energy_is_of():
    (minimum,) = BODY["minima"]
    text = " ".join(shown(tables.table("Minima", BODY), 250).split())
    assert "each member's energies are at its own geometries, up to 5 steps and 0.08 Å from the finder's" in text
    assert "*" not in text

    plain = changed(minimum, relaxation_steps=0, displacement=None)
    text = " ".join(shown(tables.table("Minima", plain), 250).split())
    assert " -1.60 -1.80* -1.70 " in text
    assert "CO(g); * at the finder's geometry" in text
    assert "left" not in text
    assert tables.csv_text(plain).splitlines()[1].endswith(",a,0,-,0,-,-,,")

    gone = changed(minimum, displacement=None, left_minimum="dissociated")
    text = " ".join(shown(tables.table("Minima", gone), 250).split())
    assert " -1.60 -1.80* -1.70 " in text
    assert "CO(g); * at the finder's geometry, as its own relaxation left the minimum" in text
    assert tables.csv_text(gone).splitlines()[1].endswith(",a,0,-,5,-,-,,")

    failed = changed(minimum, adsorption_energy=None, relaxation_steps=0, displacement=None)
    text = " ".join(shown(tables.table("Minima", failed), 250).split())
    assert " -1.60 - -1.70 " in text
    assert tables.csv_text(failed).splitlines()[1].endswith(",a,0,-,-,-,-,,")


def test_csv_has_units_in_its_header_and_a_row_a_minimum():
    header, row, end = tables.csv_text(BODY).split("\n")
    assert header == (
        "rank,site,a (eV),b-1 (eV),mean (eV),std (eV),range (eV),relative (eV),verdict,reference,candidate,"
        "found by,a steps,a displacement (Å),b-1 steps,b-1 displacement (Å),offset spread (eV),accuracy,to mind"
    )
    assert row == (
        "0,top via C,-1.600000,-1.800000,-1.700000,0.100000,0.200000,0.050000,chosen,relaxed clean slab + CO(g),1,a,0,-,5,0.081,-,,"
    )
    assert end == ""


def test_a_minimum_of_low_confidence_says_why():
    low = BODY["minima"][0] | {"score": {"n": 1, "verdict": "low confidence: nothing passed", "missing": ["b-1"]}}
    assert tables.verdict(low) == "low confidence: nothing passed (no energy by b-1)"


def test_progress_tells_stage_counts_and_best_energy_in_lines_and_in_a_panel():
    for terminal in (False, True):
        text = io.StringIO()
        with Progress(console=Console(file=text, width=120, force_terminal=terminal)) as progress:
            progress.show(JOB)
        for part in ("searching", "1 of 4 done", "1 failed", "5 of at most 12", "321", "-1.72 eV (mean of 3 members)"):
            assert part in text.getvalue()


def test_duplicates_are_counted_and_left_out_of_the_table():
    once = {"id": 7, "member": "emt", "site": "top via C", "energies": [], "score": None, "duplicate_of": None}
    body = {"unit": "eV", "reference": "relaxed clean slab + CO(g)", "minima": []}
    made = tables.table("", body, [once, once | {"id": 8, "duplicate_of": 7}])
    assert made.row_count == 1
    assert "; 1 duplicates are left out here" in str(made.caption)


def test_the_table_shows_the_duplicate_that_stands_for_a_first_one_that_failed():
    energies = {1: (-1.8, -1.8), 3: (-2.2, -1.2), 4: (-1.7, -1.7)}
    pool = Pool(
        keys=np.array([1, 3, 4]),
        members=("a", "b-1"),
        energies=np.array(list(energies.values())),
        references=("r",),
        converged=np.ones(3, dtype=bool),
        fmax=np.full(3, 0.03),
        anomalies=["", "", ""],
        first=np.array([1, 3, 3]),
    )
    same_as = choose(pool, Choosing(members=pool.members, count=1), 0.3).same_as
    assert same_as.tolist() == [1, 4, 4]
    found = []
    for (key, values), other, first in zip(energies.items(), same_as.tolist(), (None, None, 3), strict=True):
        one = finding(key, dict(zip(pool.members, values, strict=True)), duplicate_of=first)
        found.append(one | {"score": one["score"] | {"same_as": None if other == key else other}})
    made = tables.table("Minima", BODY, tables.others(found, BODY["minima"]))
    assert list(made.columns[1].cells) == ["1", "4"]


def test_names_and_sites_with_brackets_are_shown_as_they_are():
    odd = BODY["minima"][0] | {"site": "top [/x]"}
    text = shown(tables.table("Minima of [red]x[/] on [/]", BODY | {"minima": [odd]}))
    assert "[red]x[/] on [/]" in text
    assert "top [/x]" in text
    lines = io.StringIO()
    with Progress(console=Console(file=lines, width=160)) as progress:
        progress.show(JOB | {"waiting_for": "member [/odd]"})
    assert "waiting member [/odd]" in lines.getvalue()


def test_the_table_explains_itself():
    told = {
        "reference": "relaxed clean slab + CO(g), by constants fitted to Set (BEEF-vdW)",
        "accuracy": "each member alone is off by 0.27 to 0.42 eV on average on the 169 labels it was fitted to",
        "offsets": {"b-1": -0.1, "a": 0.1},
        "offset_spread": 0.1414,
        "n_offsets": 3,
        "cautions": ["a, b-1: no dispersion"],
    }
    text = " ".join(shown(tables.table("Minima", BODY | told), 250).split())
    assert (
        "relative to relaxed clean slab + CO(g), by constants fitted to Set (BEEF-vdW); each member alone is off by"
        in text
    )
    assert "relative: how far they disagree about where the minimum stands among the others" in text
    assert "offset spread 0.14 eV: how far the members disagree about the adsorption energy as such" in text
    assert "(a +0.10, b-1 -0.10; from 3 distinct minima)" in text
    assert "mind: a, b-1: no dispersion" in text
    row = tables.csv_text(BODY | told).splitlines()[1]
    assert row.endswith(",0.141400,each member alone is off by 0.27 to 0.42 eV on average on the 169 labels it was fitted to,"
                        '"a, b-1: no dispersion"')  # fmt: skip
    alone = " ".join(shown(tables.table("Minima", BODY | told | {"n_offsets": 1}), 250).split())
    assert "from one distinct minimum, and nothing can be told of relative spreads" in alone
