"""Jobs: submitted, listed, followed, cancelled."""
