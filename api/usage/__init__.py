"""What users used, by month."""
