"""The page that people use: its files, and signing in to it."""
