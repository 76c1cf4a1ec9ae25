"""`adhop submit`: every option of a submission from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from adhop import submit_options as options
from adhop import terminal, words

_AS_THEY_ARE = (
    "adslab", "structures", "relax", "slab", "bulk", "prototype", "elements", "crystal", "a", "c", "u", "adsorbate",
    "miller", "conventional", "termination", "top", "min_depth", "min_width", "vacuum",
)  # fmt: skip
"""Options that the client takes by the same name and value."""


def submit(
    context: typer.Context,
    adsorbate: options.Adsorbate = None,
    slab: options.Slab = None,
    adslab: options.Adslab = None,
    structures: options.Structures = None,
    relax: options.Relax = None,
    bulk: options.Bulk = None,
    prototype: options.Prototype = None,
    elements: options.Elements = None,
    crystal: options.Crystal = None,
    a: options.A = None,
    c: options.C = None,
    u: options.U = None,
    binding: options.Binding = None,
    adsorbate_indices: options.AdsorbateIndices = None,
    miller: options.Miller = None,
    conventional: options.Conventional = None,
    termination: options.Termination = None,
    top: options.Top = None,
    min_depth: options.MinDepth = None,
    min_width: options.MinWidth = None,
    vacuum: options.Vacuum = None,
    placements: options.Placements = None,
    mode: options.Mode = None,
    hops: options.Hops = None,
    seed: options.Seed = None,
    search_members: options.SearchMembers = None,
    refine_members: options.RefineMembers = None,
    score_members: options.ScoreMembers = None,
    spread: options.Spread = None,
    limit: options.Limit = None,
    count: options.Count = None,
    window: options.Window = None,
    parameters: options.ParametersFile = None,
    settings: options.Settings = None,
    name: options.Name = None,
    priority: options.Priority = None,
    group: options.Group = None,
    wait: options.Wait = False,
) -> None:
    """Submit a job: --slab and --adsorbate, or --bulk (or --prototype), --miller and --adsorbate, or --adslab; or --structures, to be
    scored without a search.

    Parameters come from --parameters, then from the options here, then from --set: what comes later counts.
    """
    asked = arguments(locals())
    with terminal.connected(context) as client:
        job = client.submit(**asked, name=name, priority=priority, group=group)
        terminal.say(job.id)
        terminal.warn(job)
        if wait:
            job.wait()
            job.print_minima()


def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Of `Client.submit` and `Client.system`, from the values of the options above, by name."""
    asked = {
        "placement.count": given["placements"],
        "placement.mode": given["mode"],
        "hopping.hops": given["hops"],
        "seed": given["seed"],
        "ensemble.search_members": words.names(given["search_members"]),
        "ensemble.refine_members": words.names(given["refine_members"]),
        "ensemble.score_members": words.names(given["score_members"]),
        "ensemble.spread": given["spread"],
        "ensemble.limit": words.limit(given["limit"]),
        "selection.count": given["count"],
        "selection.window": given["window"],
    }
    found = {name: given[name] for name in _AS_THEY_ARE}
    for name in ("adsorbate_indices", "binding"):
        found[name] = words.indices(given[name], f"--{name.replace('_', '-')}")
    return found | {"parameters": words.parameters(given["parameters"], asked, given["settings"] or ())}
