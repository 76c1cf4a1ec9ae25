"""Alembic migrations: one revision a file, in versions/, from the first tables to those that the code declares."""
