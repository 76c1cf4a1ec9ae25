"""What is kept, and for how long: removing it in small pieces, and measuring what is there."""
