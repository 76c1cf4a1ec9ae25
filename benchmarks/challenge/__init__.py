"""The method's own experiment in a bottle: a potential plays DFT, small networks learn from it and search systems they never saw."""
