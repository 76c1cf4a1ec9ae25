"""`python -m tests.compose`: the Compose file, really run."""
