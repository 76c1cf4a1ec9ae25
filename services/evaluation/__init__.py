"""Against labels: the method's tables, the challenge's metric, and limits of the spread learned from reference energies."""
