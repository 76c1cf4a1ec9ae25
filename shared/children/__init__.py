"""Warm child processes under limits of time and memory, for what a front end or a worker is not to do in its own process."""
