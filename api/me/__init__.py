"""What callers see of themselves: limits, use, groups, and their own keys."""
