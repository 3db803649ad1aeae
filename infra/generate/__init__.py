"""Writes what operators deploy from what the code says: `python -m infra.generate [--check]`."""
