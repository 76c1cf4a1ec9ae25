"""Whether the process lives, and whether the service can work."""
