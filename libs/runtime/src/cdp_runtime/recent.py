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

BETWEEN: Final = ",\n"


class Recent:
    """The ids of the messages applied last, oldest first, each with what must be remembered of its outcome.

    Keeps the newest 64 always and all of the last 15 minutes up to 10,000: enough for what can be
    uncommitted, and it grows for hot records only. Every message stays the line of JSON that it is stored as, for
    few of them are ever asked about.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._lines: dict[str, str] = {entry[0]: line_of(entry) for entry in entries}

    def __contains__(self, message_id: object) -> bool:
        return str(message_id) in self._lines

    def __len__(self) -> int:
        return len(self._lines)

    def outcome(self, message_id: UUID | str) -> JsonValue:
        """What was remembered of that message; None if nothing was."""
        return entry_of(self._lines[str(message_id)])[2]

    def add(self, message_id: UUID | str, now: datetime, outcome: JsonValue = None) -> None:
        """Note a message, and forget what is older than anything that can come again."""
        self._lines[str(message_id)] = line_of((str(message_id), now.timestamp(), outcome))
        horizon = (now - KEEP_FOR).timestamp()
        while len(self._lines) > KEEP:
            oldest, at, _ = entry_of(next(iter(self._lines.values())))
            if at >= horizon and len(self._lines) <= KEEP_AT_MOST:
                return
            del self._lines[oldest]

    def absorb(self, other: Recent) -> None:
        """Take in the notes of a record that becomes part of this one."""
        merged = {**other._lines, **self._lines}
        self._lines = dict(sorted(merged.items(), key=lambda item: entry_of(item[1])[1]))

    def __iter__(self) -> Iterator[Entry]:
        """Each message's id, when it was applied (seconds since 1970), and what was remembered."""
        return map(entry_of, self._lines.values())

    def dump(self) -> str:
        """As one JSON text: hundreds of small values would cost the store more than all the rest of a record."""
        return f"[{BETWEEN.join(self._lines.values())}]"

    @classmethod
    def parse(cls, dumped: str) -> Recent:
        """The inverse of dump, and of the dump that had no line for each message."""
        lines = dumped[1:-1].split(BETWEEN)
        if len(lines) == 1:
            return cls(from_json(dumped))
        ids = [line[2 : line.index('",')] for line in lines]
        if any("\\" in id_ for id_ in ids):  # spelled otherwise than they are
            return cls(from_json(dumped))
        recent = cls()
        recent._lines = dict(zip(ids, lines, strict=True))
        return recent


def line_of(entry: Entry) -> str:
    """A message as JSON, which holds no line break."""
    return to_json(entry).decode()


def entry_of(line: str) -> Entry:
    """The inverse of line_of."""
    message_id, at, outcome = from_json(line)
    return message_id, at, outcome
