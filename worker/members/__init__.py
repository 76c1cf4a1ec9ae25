"""The members that a worker process hosts: loaded when needed, checked by a canary, kept while memory lasts."""
