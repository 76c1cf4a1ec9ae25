"""The science of Adhop: pure functions and small explicit states, on numpy, SciPy and ASE."""
