"""The two Celery tasks, and the stages and work items that they run: load, compute, store."""
