"""Geometry of an adslab: who touches whom, which minima are the same, where an adsorbate sits, what went wrong with it."""
