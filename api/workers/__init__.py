"""The worker processes, and the members that they host."""
