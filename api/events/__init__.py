"""What changes, told to open pages as it happens."""
