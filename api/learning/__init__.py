"""Limits of the spread are learned from reference energies in a child process."""
