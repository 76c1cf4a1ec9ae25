"""The worker processes and what they hold."""
