"""From a submission to placements: the slab, the adsorbate, and where walkers start."""
