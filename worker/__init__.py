"""Celery workers: claims, tasks, and the potentials that they keep resident."""
