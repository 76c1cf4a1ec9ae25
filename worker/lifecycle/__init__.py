"""A worker process from its start to its end: supervisor, watchdog, heartbeat, leases renewed, an orderly stop."""
