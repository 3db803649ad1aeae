"""Test with Tessera: an in-memory bus, builders and a scenario language."""

from cdp_testkit.bus import Action, Crash, LocalBus

__all__ = ["Action", "Crash", "LocalBus"]
