"""Keeps a client that retries many times a second from filling the log while its server is away."""

from __future__ import annotations

import logging
from typing import Final

EVERY_SECONDS: Final = 10
MOST_KINDS: Final = 1000


class Sparing(logging.Filter):
    """Lets each kind of line of one library through once in ten seconds; lines of others always.

    Lines are of one kind when they differ in their arguments only.
    """

    def __init__(self, library: str) -> None:
        super().__init__(library)
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        if not super().filter(record):
            return True
        kind = record.name, str(record.msg)
        if record.created - self._last.get(kind, -EVERY_SECONDS) < EVERY_SECONDS:
            return False
        if len(self._last) >= MOST_KINDS:
            self._last.clear()
        self._last[kind] = record.created
        return True


def spare_log(library: str) -> None:
    """Let what a library logs through the root logger pass sparingly from now on. Idempotent."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, Sparing) and each.name == library for each in handler.filters):
            handler.addFilter(Sparing(library))
