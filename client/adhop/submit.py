"""`adhop submit`: every option of a submission from the command line."""

from __future__ import annotations

import typer

from adhop import submit_options as options
from adhop import terminal, words


def submit(
    context: typer.Context,
    adsorbate: options.Adsorbate = None,
    slab: options.Slab = None,
    adslab: options.Adslab = None,
    bulk: options.Bulk = None,
    binding: options.Binding = None,
    adsorbate_indices: options.AdsorbateIndices = None,
    miller: options.Miller = None,
    termination: options.Termination = None,
    top: options.Top = None,
    min_depth: options.MinDepth = None,
    min_width: options.MinWidth = None,
    vacuum: options.Vacuum = None,
    crystal: options.Crystal = None,
    a: options.LatticeConstant = None,
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
    wait: options.Wait = False,
) -> None:
    """Submit a job: --slab and --adsorbate, or --bulk, --miller and --adsorbate, or --adslab.

    Parameters come from --parameters, then from the options here, then from --set: what comes later counts.
    """
    asked = {
        "placement.count": placements,
        "placement.mode": mode,
        "hopping.hops": hops,
        "seed": seed,
        "ensemble.search_members": words.names(search_members),
        "ensemble.refine_members": words.names(refine_members),
        "ensemble.score_members": words.names(score_members),
        "ensemble.spread": spread,
        "ensemble.limit": words.limit(limit),
        "selection.count": count,
        "selection.window": window,
    }
    with terminal.connected(context) as client:
        job = client.submit(
            adslab=adslab,
            slab=slab,
            bulk=bulk,
            adsorbate=adsorbate,
            adsorbate_indices=words.indices(adsorbate_indices, "--adsorbate-indices"),
            binding=words.indices(binding, "--binding"),
            miller=miller,
            termination=termination,
            top=top,
            min_depth=min_depth,
            min_width=min_width,
            vacuum=vacuum,
            crystal=crystal,
            a=a,
            parameters=words.parameters(parameters, asked, settings or ()),
            name=name,
            priority=priority,
        )
        terminal.say(job.id)
        terminal.warn(job)
        if wait:
            job.wait()
            job.print_minima()
