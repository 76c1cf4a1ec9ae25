"""The two Celery tasks of workers, and the work items that they run: load, compute, store."""
