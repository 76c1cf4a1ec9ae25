"""What went wrong on the way: the history of a job's attempts."""
