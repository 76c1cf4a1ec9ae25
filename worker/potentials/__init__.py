"""Potentials by family, each loaded from its own package, and the registry of the members made from them."""
