"""Dead letters as values: which are still open, in which order they go back, and the marks that settle them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from heapq import merge
from typing import Final, Literal, TypeAlias

from cdp_contracts import failures_v1 as f
from cdp_contracts.topics import TOPICS
from cdp_runtime.batch import Origin, origin_of
from cdp_runtime.transport import Incoming, Outgoing

Place: TypeAlias = tuple[str, int, int]

ORIGIN: Final = frozenset(f.ORIGIN_HEADERS)
FORGOTTEN: Final = frozenset(f.DEAD_LETTER_HEADERS) - ORIGIN
FLOW: Final = {topic.name: place for place, topic in enumerate(TOPICS)}
PARTITIONS: Final = {topic.name: topic.partitions for topic in TOPICS}
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DURATION: Final = re.compile(r"(\d{1,6})([smhd])")


@dataclass(frozen=True)
class Letter:
    """A dead letter: where it lies, what it says of itself, and whether somebody has settled it."""

    record: Incoming
    said: Mapping[str, str]
    settled: str = ""

    @classmethod
    def of(cls, record: Incoming) -> Letter:
        """The letter in a record of a dead-letter topic."""
        said = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        return cls(record, {name: said.get(name, "?") for name in f.DEAD_LETTER_HEADERS})

    @property
    def place(self) -> str:
        """How a person names it: partition and offset in its dead-letter topic."""
        return f"{self.record.partition}:{self.record.offset}"

    @property
    def source(self) -> str:
        """The topic that it came from."""
        return self.said[f.SOURCE_TOPIC]

    @cached_property
    def origin(self) -> Origin:
        """Where it came from first, also if it was put back before."""
        return origin_of(self.record._replace(topic=self.source))

    @property
    def failed_at(self) -> datetime:
        """When it was set aside."""
        try:
            return datetime.fromisoformat(self.said[f.FAILED_AT]).astimezone(UTC)
        except ValueError:
            return self.record.timestamp

    @property
    def returnable(self) -> bool:
        """Whether it says where it came from, and that is a topic of ours whose dead letters lie here."""
        return self.source in FLOW and self.record.topic.startswith(f"{self.source}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters a person means; an empty word means any."""

    service: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def __call__(self, letter: Letter) -> bool:
        """Whether this is one of them."""
        return (
            self.service in letter.said[f.SERVICE]
            and self.reason in letter.said[f.REASON]
            and (self.since is None or letter.failed_at >= self.since)
            and (self.until is None or letter.failed_at < self.until)
        )


def moment(text: str, now: datetime) -> datetime:
    """A time as a person writes it: ISO 8601, UTC unless it says otherwise; or so long ago: 90s, 15m, 2h, 7d."""
    if ago := DURATION.fullmatch(text):
        return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    said = datetime.fromisoformat(text)
    return said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)


async def collected(
    records: AsyncIterable[Incoming], wanted: Callable[[Letter], bool], *, values: bool = True
) -> list[Letter]:
    """The letters that are wanted, settled ones too, by topic and place. Without `values` bytes are let go."""
    found: list[Letter] = []
    settled: dict[Place, str] = {}
    async for record in records:
        mark = dict(record.headers)
        if f.SETTLED in mark:
            place = (record.topic, int(mark[f.SETTLED_PARTITION]), int(mark[f.SETTLED_OFFSET]))
            settled[place] = mark[f.SETTLED].decode()
        elif wanted(letter := Letter.of(record)):
            found.append(letter if values else replace(letter, record=record._replace(value=None)))
    marked = [replace(letter, settled=settled.get(place_of(letter.record), "")) for letter in found]
    return sorted(marked, key=lambda letter: place_of(letter.record))


def place_of(record: Incoming) -> Place:
    """Where a record lies."""
    return record.topic, record.partition, record.offset


def in_order(letters: Iterable[Letter]) -> list[list[Letter]]:
    """The open letters as they go back: topics along the flow, partitions by offset, partitions together by time.

    So a choice goes back before what followed it in its partition. Copies of one record, as a redelivery leaves
    them, are one entry: it goes back once.
    """
    topics: dict[str, dict[int, list[Letter]]] = {}
    for letter in letters:
        if letter.returnable and not letter.settled:
            topics.setdefault(letter.source, {}).setdefault(letter.origin.partition, []).append(letter)
    ordered: dict[Place, list[Letter]] = {}
    for topic in sorted(topics, key=FLOW.__getitem__):
        for letter in by_time(topics[topic].values()):
            origin = letter.origin
            ordered.setdefault((topic, origin.partition, origin.offset), []).append(letter)
    return list(ordered.values())


def by_time(partitions: Iterable[Sequence[Letter]]) -> Iterator[Letter]:
    """Several partitions as one: each strictly by offset, whatever the clocks say; of their heads the earliest."""
    sorted_ones = [sorted(letters, key=lambda letter: letter.origin.offset) for letters in partitions]
    return merge(*sorted_ones, key=lambda letter: letter.origin.timestamp)


def replayed(letter: Letter) -> Outgoing:
    """The record to put back where it came from: key, bytes and headers as they first came.

    Its place and time stay in its headers, so that de-duplication takes it for the same copy, and a choice is
    as old as it was.
    """
    kept = tuple(header for header in letter.record.headers if header[0] not in FORGOTTEN)
    partition = (
        letter.origin.partition if 0 <= letter.origin.partition < PARTITIONS.get(letter.source, 0) else None
    )
    return Outgoing(letter.source, letter.record.key, letter.record.value, kept, partition)


def mark(
    letter: Letter, what: Literal["replayed", "dropped"], *, by: str, because: str, now: datetime
) -> Outgoing:
    """The record that settles a letter. It lies behind the letter in the same topic, so it outlives it."""
    record = letter.record
    said = {
        f.SETTLED: what,
        f.SETTLED_PARTITION: str(record.partition),
        f.SETTLED_OFFSET: str(record.offset),
        f.SETTLED_BY: by,
        f.SETTLED_BECAUSE: because,
        f.SETTLED_AT: now.isoformat(),
    }
    headers = tuple((name, value.encode()) for name, value in said.items())
    return Outgoing(record.topic, letter.place.encode(), None, headers, record.partition)
