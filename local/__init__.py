"""The embedded stack: PostgreSQL and Valkey from wheels, and a supervisor for Adhop's processes."""
