"""Emit events to Tessera and subscribe to its segments."""
