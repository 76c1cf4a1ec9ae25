"""Metrics of the whole service, in the text format of Prometheus."""
