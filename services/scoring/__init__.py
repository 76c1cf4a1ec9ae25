"""From members' energies to chosen minima: references, ensemble, filter, selection, and the hand-over to DFT."""
