"""How long to wait before the next try or batch, and when to stop trusting a deploy."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Final

from cdp_runtime.failures import Halted

LONGEST_REST: Final = 0.02  # seconds


def rest_after(took: float, least: float) -> float:
    """Seconds to rest after a small batch that took so long."""
    return max(least, min(took, LONGEST_REST))


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try, and how many dead letters are too many.

    Counted are handler failures, and unreadable bytes where nobody outside may write.
    """

    attempts: int = 3
    first_wait: float = 0.05
    longest_wait: float = 5.0
    in_a_row: int = 100
    share: float = 0.5
    window: int = 1000

    def wait(self, attempt: int) -> float:
        """Seconds before try number `attempt` + 1: exponential, full jitter, capped."""
        ceiling = min(self.longest_wait, self.first_wait * 2.0 ** min(attempt, 20))
        return random.uniform(0.3, 1.0) * ceiling  # nosec B311  # jitter


class DeadLetterLimit:
    """Watches what is dead-lettered; raises Halted when it looks like our fault."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._row = 0
        self._window: deque[bool] = deque(maxlen=patience.window)
        self._pardoned = False

    def note(self, *, dead: int, alive: int) -> None:
        """Count messages that were handled and messages that could not be."""
        if self._pardoned:
            return
        self._row = self._row + dead if alive == 0 else dead
        was_full = len(self._window) == self._patience.window
        self._window.extend([True] * dead + [False] * alive)
        if self._row >= self._patience.in_a_row:
            raise Halted(f"{self._row} dead letters in a row")
        full = len(self._window) == self._patience.window
        risen = dead or not was_full
        if full and risen and sum(self._window) > self._patience.share * self._patience.window:
            share = f"{self._patience.share:.0%} of {self._patience.window}"
            raise Halted(f"more than {share} messages dead-lettered")

    def pardon(self) -> None:
        """A person resumed the stage: count afresh, and not before the batch that comes again is done.

        That batch holds what halted the stage. Counted again, it would halt it again, for ever.
        """
        self._row = 0
        self._window.clear()
        self._pardoned = True

    def batch_done(self) -> None:
        """A batch is handled, and what could not be is set aside: from now on everything counts."""
        self._pardoned = False
