"""Jobs: submitted, checked, stored, listed, followed, cancelled."""
