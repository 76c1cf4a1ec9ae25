"""Structures from texts that users send: an explicit format, read in a child process under limits. Never by file name."""
