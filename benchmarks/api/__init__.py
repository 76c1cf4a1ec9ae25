"""How fast the front end answers, on a real PostgreSQL that writes to its disk, beside QCFractal where it is installed."""
