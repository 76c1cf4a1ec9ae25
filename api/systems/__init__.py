"""What was understood of a submission: slab, adsorbate, placements, references and cost, before or after it is queued."""
