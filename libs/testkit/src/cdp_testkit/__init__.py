"""Test with Tessera: an in-memory bus, builders and a scenario language."""
