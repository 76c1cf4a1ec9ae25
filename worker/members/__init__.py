"""The members that a worker process hosts: registered, loaded when needed, checked by a canary, evicted when memory is short."""
