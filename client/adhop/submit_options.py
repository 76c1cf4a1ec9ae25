"""The options of a submission, for the commands that take one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

STRUCTURES = "structure"
CUT = "cut of a bulk"
SEARCH = "search"
SCORING = "members, scoring and choice"

FILES = "extxyz, xyz, cif, ASE's json, POSCAR, CONTCAR, vasp; told by its name, or by its content"

Adsorbate = Annotated[
    str | None,
    typer.Option(help=f"OC20 name such as '*CO', smiles:CCO, or a file ({FILES}).", rich_help_panel=STRUCTURES),
]
Slab = Annotated[Path | None, typer.Option(help=f"File with the clean slab ({FILES}).", rich_help_panel=STRUCTURES)]
Adslab = Annotated[
    Path | None,
    typer.Option(help="File with adsorbate and slab: OC20 tags, or --adsorbate-indices.", rich_help_panel=STRUCTURES),
]
Structures = Annotated[
    Path | None,
    typer.Option(
        help="File with many adslabs of one system (extxyz: all frames, called by their `label`), to be scored without a search; "
        "--slab is their clean slab.",
        rich_help_panel=STRUCTURES,
    ),
]
Relax = Annotated[
    Literal["none", "score", "search"] | None,
    typer.Option(
        help="What is done to --structures first: nothing, a few steps by each scoring member, or a relaxation by the search "
        "members.",
        rich_help_panel=STRUCTURES,
    ),
]
Bulk = Annotated[str | None, typer.Option(help="Element, or file with the crystal.", rich_help_panel=STRUCTURES)]
Prototype = Annotated[
    str | None,
    typer.Option(help="In place of --bulk: rocksalt, rutile, perovskite, L1_2 or another.", rich_help_panel=STRUCTURES),
]
Elements = Annotated[
    str | None,
    typer.Option(help="Its elements in the order of the formula: Ti,O of rutile.", rich_help_panel=STRUCTURES),
]
Crystal = Annotated[
    str | None, typer.Option(help="Of a bulk named by its element, such as fcc.", rich_help_panel=STRUCTURES)
]
A = Annotated[
    float | None,
    typer.Option("--a", help="Lattice constant of a bulk that is named, Å.", rich_help_panel=STRUCTURES),
]
C = Annotated[float | None, typer.Option("--c", help="Its second one, Å.", rich_help_panel=STRUCTURES)]
U = Annotated[
    float | None,
    typer.Option("--u", help="Internal coordinate of wurtzite and rutile.", rich_help_panel=STRUCTURES),
]
Binding = Annotated[
    str | None,
    typer.Option(help="Binding atoms of a molecule given as a file, counted from 0: 0,1", rich_help_panel=STRUCTURES),
]
AdsorbateIndices = Annotated[
    str | None,
    typer.Option(
        help="Atoms of the adslab that are adsorbate, counted from 0: 12,13 or 12-13", rich_help_panel=STRUCTURES
    ),
]

Miller = Annotated[
    str | None,
    typer.Option(help="Miller index: 1,1,1 or 111; of a hexagonal crystal also 0,0,0,1.", rich_help_panel=CUT),
]
Conventional = Annotated[
    bool | None,
    typer.Option(
        "--conventional/--as-given",
        help="Whether the index is of the standard conventional cell, or of the cell given.",
        rich_help_panel=CUT,
    ),
]
Termination = Annotated[
    int | None, typer.Option(help="Which termination along the index, counted from 0.", rich_help_panel=CUT)
]
Top = Annotated[
    bool | None,
    typer.Option("--top/--bottom", help="Which side of the slab to put the adsorbate on.", rich_help_panel=CUT),
]
MinDepth = Annotated[float | None, typer.Option(help="Least thickness of the slab, Å.", rich_help_panel=CUT)]
MinWidth = Annotated[
    float | None, typer.Option(help="Least extent of the cell along both surface vectors, Å.", rich_help_panel=CUT)
]
Vacuum = Annotated[float | None, typer.Option(help="Empty space above the slab, Å.", rich_help_panel=CUT)]
Placements = Annotated[int | None, typer.Option(help="How many placements walkers start from.", rich_help_panel=SEARCH)]
Mode = Annotated[
    Literal["heuristic", "random_site_heuristic", "random"] | None,
    typer.Option(help="Where and how the adsorbate is put.", rich_help_panel=SEARCH),
]
Hops = Annotated[
    int | None, typer.Option(help="Most hops of a walker; 0 relaxes the placements only.", rich_help_panel=SEARCH)
]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same answer.", rich_help_panel=SEARCH)]
SearchMembers = Annotated[str | None, typer.Option(help="Members that run walkers: a,b", rich_help_panel=SCORING)]
RefineMembers = Annotated[
    str | None, typer.Option(help="Members that relax sound minima again: a,b", rich_help_panel=SCORING)
]
ScoreMembers = Annotated[
    str | None, typer.Option(help="Members that score every candidate: a,b", rich_help_panel=SCORING)
]
Spread = Annotated[
    Literal["std", "range", "relative"] | None,
    typer.Option(
        help="How disagreement is measured: of the energies, or, relative, of where a minimum stands among the others.",
        rich_help_panel=SCORING,
    ),
]
Limit = Annotated[
    str | None,
    typer.Option(help="Largest spread that is trusted, eV, or 'calibrated'.", rich_help_panel=SCORING),
]
Count = Annotated[int | None, typer.Option(help="How many minima are chosen.", rich_help_panel=SCORING)]
Window = Annotated[float | None, typer.Option(help="None further above the lowest, eV.", rich_help_panel=SCORING)]

ParametersFile = Annotated[
    Path | None,
    typer.Option("--parameters", help="JSON file with parameters, as the server's JobParameters has them."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any parameter by its name, such as hopping.hops=20 (JSON, or text); may be repeated."),
]
Name = Annotated[str | None, typer.Option(help="A name to find the job by.")]
Priority = Annotated[int | None, typer.Option(help="Among your own jobs; higher ones go first.")]
Group = Annotated[str | None, typer.Option(help="One of your groups, whose members may then read the job.")]
Wait = Annotated[bool, typer.Option(help="Stay and show progress, then the minima.")]
