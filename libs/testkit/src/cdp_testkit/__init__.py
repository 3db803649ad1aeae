"""Test with Tessera: an in-memory bus, builders and a scenario language."""

from cdp_testkit.bus import Action, Crash, LocalBus
from cdp_testkit.scenario import Scenario, Visitor

__all__ = ["Action", "Crash", "LocalBus", "Scenario", "Visitor"]
