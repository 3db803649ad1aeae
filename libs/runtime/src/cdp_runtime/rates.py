"""How often somebody may ask: a token bucket each, in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

MOST_NAMES: Final = 10_000


class Rates:
    """At most `per_second` requests of each name, `burst_seconds` worth of them at once. 0 per second: no bound.

    The generic cell rate algorithm (ITU-T I.371): one number a name. `now` is a monotonic clock in seconds.
    """

    def __init__(self, per_second: float, burst_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._tolerance = max(burst_seconds, self._interval)
        self._now = now
        self._due: dict[str, float] = {}

    def wait(self, name: str) -> int:
        """0 and the request counts, or the whole seconds after which one more is taken."""
        if not self._interval:
            return 0
        now = self._now()
        due = max(self._due.get(name, now), now) + self._interval
        ahead = due - now - self._tolerance
        if ahead > 1e-9:  # what floats lose
            return math.ceil(ahead)
        if len(self._due) >= MOST_NAMES and name not in self._due:
            self._due = {each: at for each, at in self._due.items() if at > now}
        self._due[name] = due
        return 0
