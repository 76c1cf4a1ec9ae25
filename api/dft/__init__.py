"""DFT hand-off: inputs of the chosen minima out, reference energies back in."""
