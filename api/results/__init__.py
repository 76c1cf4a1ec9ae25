"""What jobs found: candidates and minima."""
