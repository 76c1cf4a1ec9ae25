"""The administrator's side of the registry: `python -m worker.models list | add | verify | fetch`."""
