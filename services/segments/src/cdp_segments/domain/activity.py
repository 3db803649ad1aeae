"""How many entered and left a segment, by the hour and the cause: one record a day and partition.

Each record says up to which message of its partition it has counted, so that what is delivered again counts once.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Final, NamedTuple

from cdp_runtime.records import Record, State
from pydantic import TypeAdapter

from cdp_segments.domain.history import Flip
from cdp_segments.domain.person import person_id
from cdp_segments.domain.telling import moment_of

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
FIRST_DAY: Final = date(1970, 1, 1).toordinal()
DAYS_KEPT: Final = 100


class Cell(NamedTuple):
    """An hour of the day (UTC), which way, and why."""

    hour: int
    entered: bool
    cause: str


COUNTS: Final[TypeAdapter[list[tuple[Cell, int]]]] = TypeAdapter(list[tuple[Cell, int]])


class Activity(Record):
    """The flips of one segment on one day (UTC), of the people whose messages are in one partition."""

    def __init__(self, id: str) -> None:  # noqa: A002  # as the record names it
        super().__init__(id)
        self.counts: Counter[Cell] = Counter()
        self.offset = -1
        self._upto = -1

    @property
    def day(self) -> int:
        """Days since 1970."""
        return date.fromisoformat(self.id.split("/")[2]).toordinal() - FIRST_DAY

    def count(self, flip: Flip, offset: int) -> None:
        """Count a flip, unless the record has counted what stands there. Call in the order of the offsets."""
        if offset <= self._upto:
            return
        self.counts[Cell(flip.at % DAY // HOUR, flip.member, flip.cause)] += 1
        self.offset = max(self.offset, offset)
        self.touch()

    def to_state(self) -> State:
        """See Record."""
        counts = COUNTS.dump_json([*self.counts.items()]).decode()
        return {"offset": self.offset, "ends": moment_of((self.day + 1) * DAY), "counts": counts}

    @classmethod
    def from_state(cls, id: str, state: State) -> Activity:  # noqa: A002
        """See Record."""
        activity = cls(id)
        activity.offset = activity._upto = state["offset"]
        activity.counts = Counter(dict(COUNTS.validate_json(state["counts"])))
        return activity


def activity_id(tenant: str, flip: Flip, partition: int) -> str:
    """The id of the record that counts a flip; in the order of the days."""
    return f"{days_id(tenant, flip.segment, flip.at // DAY)}/{partition}"


def days_id(tenant: str, segment: str, day: int) -> str:
    """What the ids of a day's records begin with."""
    return person_id(tenant, f"{segment}/{date.fromordinal(FIRST_DAY + day).isoformat()}")
