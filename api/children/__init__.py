"""Warm child processes under limits of time and memory, for what the API's own process is not to do."""
