"""A courier for every destination that is defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdp_runtime.stage import Stage

from cdp_segments.sender.courier import Courier
from cdp_segments.sender.destinations import Destinations
from cdp_segments.sender.handlers import delivering
from cdp_segments.sender.metrics import OLDEST


class Crew:
    """Keeps the stage of each destination, and forgets those of destinations that are gone."""

    def __init__(self, destinations: Destinations, courier: Callable[[str], Courier]) -> None:
        self._destinations = destinations
        self._courier = courier
        self._stages: dict[str, Stage[Any]] = {}

    def stages(self) -> list[Stage[Any]]:
        """The stages that are to run now; of the same destination the same, however often this is asked."""
        keys = self._destinations.keys()
        for gone in self._stages.keys() - set(keys):
            del self._stages[gone]
            OLDEST.remove(gone)
        for key in keys:
            if key not in self._stages:
                self._stages[key] = delivering(self._courier(key))
        return list(self._stages.values())
