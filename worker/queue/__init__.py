"""The queue: which rows a worker may claim, and whose turn it is."""
