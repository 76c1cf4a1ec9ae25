"""Who did what to which job, from where."""
