"""Groups: users who may read the jobs that are shared with them."""
