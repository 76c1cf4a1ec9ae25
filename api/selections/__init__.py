"""Choosing again among the candidates of a finished job."""
