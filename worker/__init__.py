"""The dispatcher and the Celery workers: what may be claimed, the tasks, the members they host, and their life as processes."""
