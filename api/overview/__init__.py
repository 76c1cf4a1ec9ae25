"""What a page needs at once: all candidates and walkers of a job in a line each, how busy the service is, what was labelled."""
