"""Limits of the spread, learned from the reference energies that labs fed back."""
