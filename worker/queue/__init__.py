"""Rows of work as workers and dispatcher see them: which may be claimed, whose turn it is, and the claims themselves."""
