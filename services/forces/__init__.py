"""Energies and forces: the interface to potentials, restraints added to them, and the engine that batches walks."""
