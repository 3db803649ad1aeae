"""How large segments are, how that changes, and how far two of them are the same people."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import Query
from pydantic import AwareDatetime, Field

from cdp_segments.api.door import Door, Token
from cdp_segments.api.examples import ACTIVITY, OVERLAP, SIZE, shown
from cdp_segments.api.populations import Populations
from cdp_segments.api.problems import BadRange
from cdp_segments.api.views import PERCENT, STATUS, View
from cdp_segments.census import Census
from cdp_segments.domain.activity import DAY, DAYS_KEPT, HOUR, Activity
from cdp_segments.domain.statuses import Status
from cdp_segments.domain.telling import milliseconds_of, moment_of
from cdp_segments.history.store import HistoryStore

Bucket: TypeAlias = Literal["hour", "day"]
LENGTHS: Final[dict[Bucket, int]] = {"hour": HOUR, "day": DAY}
USUAL: Final[dict[Bucket, int]] = {"hour": DAY, "day": 30 * DAY}
MOST_BUCKETS: Final = 24 * 31
Name: TypeAlias = Annotated[str, Query(min_length=1, max_length=100)]
From: TypeAlias = Annotated[
    AwareDatetime | None, Query(alias="from", description="default: a day or 30 days before")
]
To: TypeAlias = Annotated[AwareDatetime | None, Query(description="default: now")]


class SizeView(View):
    """How many people are in a segment now."""

    model_config = shown(SIZE)

    segment: str
    version: int | None = Field(description="in force; null while none is, and nobody is in the segment")
    status: Status = Field(description=STATUS)
    percent: int | None = Field(description=PERCENT)
    size: int
    population: int = Field(description="all people known; counted at most a minute ago")
    share: float | None = Field(description="size / population; null while nobody is known")
    as_of: datetime


class BucketView(View):
    """What happened in an hour or a day (UTC)."""

    start: datetime
    entered: int
    left: int
    entered_by: dict[str, int] = Field(description="by cause: event, timer, merge, definition, ...")
    left_by: dict[str, int]
    net: int = Field(description="entered - left")
    size: int = Field(description="at the end of the bucket; of the last one, now")
    volatility: float | None = Field(
        description="(entered + left) / mean of the sizes at both ends; null if that is 0"
    )


class ActivityView(View):
    """How a segment changed, bucket by bucket, oldest first. Sizes are counted back from the size now."""

    model_config = shown(ACTIVITY)

    segment: str
    bucket: Bucket
    start: datetime = Field(description="of the first bucket")
    end: datetime = Field(description="of the last bucket")
    kept_from: datetime = Field(description="nothing older is kept")
    size: int = Field(description="now")
    entered: int
    left: int
    net: int
    volatility: float | None = Field(description="(entered + left) / mean of the sizes at the ends of the buckets")
    buckets: tuple[BucketView, ...]
    as_of: datetime


class OverlapView(View):
    """How far two segments are the same people; exact."""

    model_config = shown(OVERLAP)

    a: str
    b: str
    size_a: int
    size_b: int
    both: int
    only_a: int
    only_b: int
    jaccard: float | None = Field(description="both / either; null if both are empty")
    lift: float | None = Field(
        description="how many times likelier somebody in a is in b than anybody is; null if one is empty"
    )
    population: int = Field(description="all people known; counted at most a minute ago")
    as_of: datetime


@dataclass(frozen=True, slots=True)
class SizeDesk:
    """Where readers ask for numbers."""

    door: Door
    census: Census
    populations: Populations
    histories: HistoryStore

    async def size(self, token: Token, name: str) -> SizeView:
        """How many people are in a segment now, and which share of all people that is."""
        tenant = self.door.tenant(token)
        segment = await self.door.segment(tenant, name)
        size = await self.door.available(self.door.people.size(tenant, name))
        population = await self.door.available(self.populations.of(tenant))
        return SizeView(
            segment=name,
            version=segment.version,
            status=segment.status,
            percent=segment.percent,
            size=size,
            population=population,
            share=size / population if population else None,
            as_of=moment_of(self.door.now),
        )

    async def activity(
        self, token: Token, name: str, bucket: Bucket = "day", start: From = None, to: To = None
    ) -> ActivityView:
        """Who entered and left, by the hour or the day (UTC), why, and how large the segment was after it.

        Kept for 100 days. Flips are counted a moment after they are told.
        """
        tenant = self.door.tenant(token)
        await self.door.segment(tenant, name)
        now, length = self.door.now, LENGTHS[bucket]
        first, last = span(start, to, bucket, now)
        size = await self.door.available(self.door.people.size(tenant, name))
        asked = self.histories.activity(tenant, name, first * length // DAY, now // DAY)
        flips = by_bucket(await self.door.available(asked), length)
        later = sum(net(counts) for n, counts in flips.items() if n > last)
        buckets = [*backwards(flips, range(first, last + 1), length, size - later)][::-1]
        return activity_view(name, bucket, buckets, size, now)

    async def overlap(self, token: Token, a: Name, b: Name) -> OverlapView:
        """How many people are in both of two segments, and in one alone."""
        tenant = self.door.tenant(token)
        for name in (a, b):
            await self.door.segment(tenant, name)
        people = self.door.people
        asked = asyncio.gather(people.size(tenant, a), people.size(tenant, b), self.census.both(tenant, a, b))
        size_a, size_b, both = await self.door.available(asked)
        population = await self.door.available(self.populations.of(tenant))
        either = size_a + size_b - both
        return OverlapView(
            a=a, b=b, size_a=size_a, size_b=size_b, both=both, only_a=size_a - both, only_b=size_b - both,
            jaccard=both / either if either else None,
            lift=both * population / (size_a * size_b) if size_a and size_b else None,
            population=population, as_of=moment_of(self.door.now),
        )  # fmt: skip


Flips: TypeAlias = Counter[tuple[bool, str]]  # how many, by way and cause


def span(start: datetime | None, to: datetime | None, bucket: Bucket, now: int) -> tuple[int, int]:
    """The numbers of the first and the last bucket; BadRange if that is none, or beyond what is kept."""
    length = LENGTHS[bucket]
    end = min(milliseconds_of(to), now) if to else now
    begin = milliseconds_of(start) if start else max(end - USUAL[bucket], kept_from(now))
    first, last = begin // length, end // length
    if begin > end:
        raise BadRange("from must be before to, and not in the future")
    if begin < kept_from(now):
        raise BadRange(f"from: {DAYS_KEPT} days are kept")
    if last - first >= MOST_BUCKETS:
        raise BadRange(f"from and to: at most {MOST_BUCKETS} buckets at once")
    return first, last


def kept_from(now: int) -> int:
    """The beginning of the first day of which all is kept."""
    return (now // DAY - DAYS_KEPT) * DAY


def by_bucket(days: Iterable[Activity], length: int) -> dict[int, Flips]:
    """The flips by the number of their bucket."""
    found: dict[int, Flips] = {}
    for day in days:
        for (hour, entered, cause), count in day.counts.items():
            bucket = (day.day * DAY + hour * HOUR) // length
            found.setdefault(bucket, Counter())[entered, cause] += count
    return found


def net(flips: Flips) -> int:
    """By how many the segment grew."""
    return sum(count if entered else -count for (entered, _), count in flips.items())


def backwards(flips: dict[int, Flips], numbers: range, length: int, size: int) -> Iterator[BucketView]:
    """The buckets from the newest to the oldest, given the size at the end."""
    for number in reversed(numbers):
        counts = flips.get(number, Counter())
        entered_by, left_by = by_cause(counts, entered=True), by_cause(counts, entered=False)
        entered, left = sum(entered_by.values()), sum(left_by.values())
        before = size - entered + left
        yield BucketView(
            start=moment_of(number * length), entered=entered, left=left, entered_by=entered_by, left_by=left_by,
            net=entered - left, size=size, volatility=volatility(entered + left, [before, size]),
        )  # fmt: skip
        size = before


def by_cause(flips: Flips, *, entered: bool) -> dict[str, int]:
    """The flips of one way."""
    return {cause: count for (way, cause), count in sorted(flips.items()) if way is entered}


def volatility(flips: int, sizes: Sequence[int]) -> float | None:
    """Flips by the mean size; None if that is 0."""
    mean = sum(sizes) / len(sizes)
    return flips / mean if mean > 0 else None


def activity_view(name: str, bucket: Bucket, buckets: Sequence[BucketView], size: int, now: int) -> ActivityView:
    """All of it with its totals."""
    entered, left = sum(b.entered for b in buckets), sum(b.left for b in buckets)
    sizes = [buckets[0].size - buckets[0].net, *(b.size for b in buckets)]
    return ActivityView(
        segment=name, bucket=bucket, start=buckets[0].start,
        end=moment_of(milliseconds_of(buckets[-1].start) + LENGTHS[bucket]),
        kept_from=moment_of(kept_from(now)), size=size, entered=entered, left=left, net=entered - left,
        volatility=volatility(entered + left, sizes), buckets=tuple(buckets), as_of=moment_of(now),
    )  # fmt: skip
