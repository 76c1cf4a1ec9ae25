"""Measurements, side by side with the peer in one run. `python -m benchmarks.NAME [--quick]`; the last line is one JSON object."""
