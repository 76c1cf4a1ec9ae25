"""Potentials of the OC20 data set through fairchem-core 1.x: EquiformerV2, GemNet-OC, eSCN."""
