"""A picture of a system: its slab from above and from the side, where the placements stand, and the first of them. PNG."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from ase.data import chemical_symbols
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon

from api.placing import balls
from services.systems.assembly import System
from services.systems.placement import Placed
from shared.structures import Floats, Structure

_SIZE_IN = (13.0, 9.0)
_DPI = 100
_SHOWN = 4
"""How many placements have a panel of their own."""
_MOST_NAMED = 8
"""Names of sites in the legend."""
_SAME_POINT = 0.3
"""Placements nearer than this, seen from above, share a mark, Å."""
_AROUND = np.array([7.0, 5.5])
"""What such a panel shows of the surface around the adsorbate, both ways, Å [2]."""
_BESIDE = (((7, 7), "left"), ((7, -13), "left"), ((-7, 7), "right"), ((-7, -13), "right"))
"""Where the numbers of one mark after the other stand, points."""
_COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#e377c2", "#8c564b")


def draw(system: System, placed: Sequence[Placed]) -> bytes:
    """The picture. Fixed atoms are hatched, surface atoms outlined, the adsorbate in its elements' colours."""
    figure = Figure(figsize=_SIZE_IN, dpi=_DPI)  # laid out by hand: to measure a thousand discs takes seconds
    canvas = FigureCanvasAgg(figure)
    view = balls.View.of(system.slab)
    _from_above(figure.add_axes((0.035, 0.45, 0.68, 0.46)), view, system, placed)
    _from_the_side(figure.add_axes((0.765, 0.12, 0.225, 0.79)), view, system, placed)
    width = 0.70 / _SHOWN
    for index, one in enumerate(placed[:_SHOWN]):
        _small(figure.add_axes((0.02 + index * width, 0.075, width - 0.01, 0.24)), view, one, index)
    figure.suptitle(_title(system, placed), fontsize=13, y=0.975)
    figure.legend(handles=_legend(system), loc="lower center", ncols=8, frameon=False, fontsize=10)
    packed = BytesIO()
    canvas.print_figure(packed, format="png")
    return packed.getvalue()


def _title(system: System, placed: Sequence[Placed]) -> str:
    slab = system.slab
    return (
        f"{system.adsorbate.name} on {slab.formula}: {len(slab)} slab atoms, {int(slab.surface.sum())} of them surface, "
        f"{int(slab.fixed.sum())} fixed, {int(slab.free.sum())} free; {len(placed)} placement{'s' * (len(placed) != 1)}"
    )


def _from_above(axes: Axes, view: balls.View, system: System, placed: Sequence[Placed]) -> None:
    """The clean slab with its neighbouring images, and a mark where each placement stands."""
    _slab(axes, view, system.slab, view.window)
    axes.add_patch(Polygon(view.corners, closed=True, fill=False, lw=1.5, ls="--", ec="black", zorder=900))
    _marks(axes, view, system, placed)
    _frame(axes, "from above, with the sites of the placements by their numbers", view.window)


def _marks(axes: Axes, view: balls.View, system: System, placed: Sequence[Placed]) -> None:
    binding = list(system.adsorbate.binding) or list(range(len(system.adsorbate.numbers)))
    colours: dict[str, str] = {}
    shared: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    where: dict[tuple[str, int, int], Floats] = {}
    for index, one in enumerate(placed):
        molecule = one.structure.positions[one.structure.adsorbate]
        point = view.inside(view.flat(molecule[binding].mean(axis=0)[None])[0, :2])
        colours.setdefault(one.site, _COLOURS[len(colours) % len(_COLOURS)])
        u, v = np.round(point / _SAME_POINT).astype(int).tolist()
        shared[one.site, u, v].append(index)
        where.setdefault((one.site, u, v), point)
    for turn, (key, indices) in enumerate(shared.items()):
        x, y = where[key]
        offset, side = _BESIDE[turn % len(_BESIDE)]
        named = ", ".join(map(str, indices[:3])) + (", …" if len(indices) > 3 else "")
        axes.plot(x, y, marker="o", ms=9, mfc=colours[key[0]], mec="white", mew=1.2, zorder=1002)
        axes.annotate(
            named, (x, y), xytext=offset, textcoords="offset points", ha=side, fontsize=9, fontweight="bold", zorder=1001,
            color=colours[key[0]], bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
        )  # fmt: skip
    counts = Counter(one.site for one in placed)
    handles = [
        Line2D([], [], ls="", marker="o", ms=8, color=colours[site], label=f"{site}: {n}")
        for site, n in counts.most_common(_MOST_NAMED)
    ]
    if len(counts) > _MOST_NAMED:
        handles.append(Line2D([], [], ls="", label=f"and {len(counts) - _MOST_NAMED} more"))
    if handles:
        axes.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=4, fontsize=9, frameon=False
        )


def _from_the_side(axes: Axes, view: balls.View, system: System, placed: Sequence[Placed]) -> None:
    """The first placement, or the clean slab where there is none, seen along the surface."""
    structure = placed[0].structure if placed else system.slab
    flat = view.flat(structure.positions)
    balls.put(axes, structure, flat[:, [0, 2]], -flat[:, 1])
    for start, end in view.edges:
        axes.plot([start[0], end[0]], [start[2], end[2]], ls="--", lw=1, color="black", zorder=-1)
    shown = np.concatenate([flat, np.array(view.edges).reshape(-1, 3)])[:, [0, 2]]
    window = (shown.min(axis=0) - balls.MARGIN, shown.max(axis=0) + balls.MARGIN)
    _frame(axes, "from the side" + (f": placement 0\n{placed[0].site}" if placed else ""), window)
    axes.set(xlabel="along the first lattice vector (Å)", ylabel="along the normal (Å)")


def _small(axes: Axes, view: balls.View, one: Placed, index: int) -> None:
    """One placement from above: the surface, and the adsorbate on it."""
    structure = one.structure
    molecule = view.flat(structure.positions[structure.adsorbate])
    centre = molecule[:, :2].mean(axis=0)
    molecule[:, :2] += view.inside(centre) - centre
    window = (view.inside(centre) - _AROUND, view.inside(centre) + _AROUND)
    _slab(axes, view, structure.only(structure.slab & structure.surface), window, small=True)
    balls.put(axes, structure.only(structure.adsorbate), molecule[:, :2], molecule[:, 2], small=True)
    axes.add_patch(Polygon(view.corners, closed=True, fill=False, lw=1, ls="--", ec="black", zorder=400))
    _frame(axes, f"{index}: {one.site}", window)
    axes.set(xticks=[], yticks=[])


def _slab(axes: Axes, view: balls.View, slab: Structure, window: balls.Window, *, small: bool = False) -> None:
    """From above, with its images around it."""
    flat = view.flat(slab.positions)
    for shift, seen in balls.images(view, flat, window):
        balls.put(axes, slab.only(seen), flat[seen, :2] + shift, flat[seen, 2], faded=True, small=small)
    balls.put(axes, slab, flat[:, :2], flat[:, 2], small=small)


def _frame(axes: Axes, title: str, window: balls.Window) -> None:
    low, high = window
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.set_aspect("equal", anchor="N")
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=8)


def _legend(system: System) -> list[Patch | Line2D]:
    slab, adsorbate = system.slab, system.adsorbate
    handles: list[Patch | Line2D] = [
        Patch(fc=balls.colour(number, slab=True), ec="0.4", label=f"{chemical_symbols[number]} of the slab")
        for number in sorted(set(slab.numbers.tolist()))
    ]
    handles += [
        Patch(
            fc=balls.colour(number, slab=False),
            ec="black",
            lw=1.5,
            label=f"{chemical_symbols[number]} of the adsorbate",
        )
        for number in sorted(set(adsorbate.numbers))
    ]
    handles += [
        Patch(fc="white", ec="black", lw=balls.OUTLINE, label="surface (outlined)"),
        Patch(fc="white", ec="0.4", hatch=balls.HATCH, label="fixed (hatched)"),
        Line2D([], [], ls="--", color="black", lw=1.2, label="cell"),
    ]
    return handles
