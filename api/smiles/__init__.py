"""SMILES are read, and made molecules of, in a child process."""
