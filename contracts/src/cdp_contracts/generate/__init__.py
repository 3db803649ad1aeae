"""Writes what follows from the registry: schemas, topic configuration, AsyncAPI, graph and table.

`python -m cdp_contracts.generate` writes, `--check` names what is stale. Needs the extra `generate`.
"""
