"""The life cycle of a job and of its work: which transitions there are, and what moves a job on."""
