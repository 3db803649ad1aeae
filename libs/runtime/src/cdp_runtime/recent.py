"""What a record remembers of the messages applied to it, so that none is applied twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from pydantic import JsonValue
from pydantic_core import from_json, to_json

Entry: TypeAlias = tuple[str, float, JsonValue]

KEEP: Final = 64
KEEP_FOR: Final = timedelta(minutes=15)
KEEP_AT_MOST: Final = 10_000


class Recent:
    """The ids of the messages applied last, oldest first, each with what must be remembered of its outcome.

    Keeps the newest 64 always and all of the last 15 minutes up to 10,000: enough for what can be
    uncommitted, and it grows for hot records only.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[str, tuple[float, JsonValue]] = {i: (at, outcome) for i, at, outcome in entries}

    def __contains__(self, message_id: object) -> bool:
        return str(message_id) in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def outcome(self, message_id: UUID | str) -> JsonValue:
        """What was remembered of that message; None if nothing was."""
        return self._entries[str(message_id)][1]

    def add(self, message_id: UUID | str, now: datetime, outcome: JsonValue = None) -> None:
        """Note a message, and forget what is older than anything that can come again."""
        self._entries[str(message_id)] = (now.timestamp(), outcome)
        horizon = (now - KEEP_FOR).timestamp()
        while len(self._entries) > KEEP:
            oldest = next(iter(self._entries))
            if self._entries[oldest][0] >= horizon and len(self._entries) <= KEEP_AT_MOST:
                return
            del self._entries[oldest]

    def absorb(self, other: Recent) -> None:
        """Take in the notes of a record that becomes part of this one."""
        merged = {**other._entries, **self._entries}
        self._entries = dict(sorted(merged.items(), key=lambda item: item[1][0]))

    def __iter__(self) -> Iterator[Entry]:
        """Each message's id, when it was applied (seconds since 1970), and what was remembered."""
        return ((i, at, outcome) for i, (at, outcome) in self._entries.items())

    def dump(self) -> str:
        """As one JSON text: hundreds of small values would cost the store more than all the rest of a record."""
        return to_json(list(self)).decode()

    @classmethod
    def parse(cls, dumped: str) -> Recent:
        """The inverse of dump."""
        return cls(from_json(dumped))
