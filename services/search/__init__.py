"""Constrained minima hopping: relaxation, escape, and the walker that alternates between them."""
