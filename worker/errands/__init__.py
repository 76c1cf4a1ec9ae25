"""Errands: one claimed row each. `load` reads what the walk needs, `walk` is the science, `store` writes its result."""
