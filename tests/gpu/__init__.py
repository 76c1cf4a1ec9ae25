"""The proof on a GPU: what a bare machine lacks, and what is run there in one call."""
