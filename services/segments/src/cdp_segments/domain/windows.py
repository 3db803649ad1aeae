"""Which marks a window holds at an instant, and when one comes in or falls out by the clock alone.

At `now` a window holds the marks whose time is later than `after(now)` and no later than `upto(now)`. Both bounds
never fall as the clock goes on, so a mark comes in once (`enters`) and falls out once (`leaves`).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import ClassVar, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cdp_contracts.conditions_v1 import Between, Calendar, CalendarUnit, Lifetime, Sliding

from cdp_segments.domain.marks import LAST, Ring
from cdp_segments.domain.telling import milliseconds_of, moment_of

FOREVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Ever:
    """All that ever happened."""

    delayed: ClassVar = False  # whether marks come in later than they happen

    def after(self, now: int) -> int:
        """Nothing is too old."""
        return -FOREVER

    def upto(self, now: int) -> int:
        """Nothing is too new."""
        return FOREVER

    def enters(self, at: int) -> int:
        """At once."""
        return at

    def leaves(self, at: int) -> int:
        """Never."""
        return FOREVER


@dataclass(frozen=True, slots=True)
class Lately:
    """The last so many milliseconds."""

    length: int
    delayed: ClassVar = False

    def after(self, now: int) -> int:
        """The newest time that is too old."""
        return now - self.length

    def upto(self, now: int) -> int:
        """Nothing is too new."""
        return FOREVER

    def enters(self, at: int) -> int:
        """At once."""
        return at

    def leaves(self, at: int) -> int:
        """Exactly that much later."""
        return at + self.length


@dataclass(frozen=True, slots=True)
class Ago:
    """From one age, in milliseconds, until another, which may be none."""

    young: int
    old: int | None
    delayed: ClassVar = True

    def after(self, now: int) -> int:
        """The newest time that is too old."""
        return -FOREVER if self.old is None else now - self.old

    def upto(self, now: int) -> int:
        """The newest time that is old enough."""
        return now - self.young

    def enters(self, at: int) -> int:
        """Once it is old enough."""
        return at + self.young

    def leaves(self, at: int) -> int:
        """Once it is too old."""
        return FOREVER if self.old is None else at + self.old


@dataclass(frozen=True, slots=True)
class Units:
    """Whole units of a calendar: the current one and n - 1 before it, or the n before it (`delayed`)."""

    unit: CalendarUnit
    n: int
    delayed: bool
    zone: str

    def after(self, now: int) -> int:
        """The last millisecond before the first unit."""
        first = unit_at(self.unit, now, self.zone) - self.n + (0 if self.delayed else 1)
        return begin_of(self.unit, first, self.zone) - 1

    def upto(self, now: int) -> int:
        """The last millisecond of the last full unit, if only full ones count."""
        return begin_of(self.unit, unit_at(self.unit, now, self.zone), self.zone) - 1 if self.delayed else FOREVER

    def enters(self, at: int) -> int:
        """When its unit is over, if only full ones count."""
        return begin_of(self.unit, unit_at(self.unit, at, self.zone) + 1, self.zone) if self.delayed else at

    def leaves(self, at: int) -> int:
        """When a unit begins of which its own is too far back."""
        return begin_of(
            self.unit, unit_at(self.unit, at, self.zone) + self.n + (1 if self.delayed else 0), self.zone
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """Another window, once some time has passed since."""

    window: Reach
    wait: int
    delayed: ClassVar = True

    def after(self, now: int) -> int:
        """The newest time that is too old."""
        return self.window.after(now)

    def upto(self, now: int) -> int:
        """The newest time that is long enough ago, too."""
        return min(self.window.upto(now), now - self.wait)

    def enters(self, at: int) -> int:
        """When the time has passed, at the earliest."""
        return max(self.window.enters(at), at + self.wait)

    def leaves(self, at: int) -> int:
        """As without."""
        return self.window.leaves(at)


Reach: TypeAlias = Ever | Lately | Ago | Units | Settled


@lru_cache(maxsize=4096)
def unit_at(unit: CalendarUnit, at: int, zone: str) -> int:
    """The unit that an instant lies in: the last that has begun. The clocks may have been put back since."""
    instant = max(at, 0)
    local = moment_of(instant).astimezone(zone_of(zone)).date()
    index = index_of(unit, local) + 1
    while begin_of(unit, index, zone) > instant:
        index -= 1
    return index


def index_of(unit: CalendarUnit, day: date) -> int:
    """The number of the unit that a day is in; the next unit has the next number."""
    match unit:
        case "day":
            return day.toordinal()
        case "week":
            return (day.toordinal() - 1) // 7
        case "month":
            return day.year * 12 + day.month - 1


@lru_cache(maxsize=4096)
def begin_of(unit: CalendarUnit, index: int, zone: str) -> int:
    """When a unit begins, in milliseconds: at midnight, or when the clocks go past it."""
    match unit:
        case "day":
            day = date.fromordinal(index)
        case "week":
            day = date.fromordinal(index * 7 + 1)
        case "month":
            day = date(index // 12, index % 12 + 1, 1)
    return milliseconds_of(datetime(day.year, day.month, day.day, tzinfo=zone_of(zone)))


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """A time zone; ValueError if there is none of the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"window: there is no time zone {name!r}") from error


def milliseconds(seconds: float) -> int:
    """Windows are exact to the millisecond."""
    return max(1, round(seconds * 1000))


def reach_of(window: Sliding | Between | Calendar | Lifetime) -> Reach:
    """The window of a condition; ValueError naming the field and the rule if it makes no sense."""
    match window:
        case Lifetime():
            return Ever()
        case Sliding(seconds=seconds):
            return Lately(milliseconds(seconds))
        case Between(from_seconds=young, to_seconds=old):
            if old is not None and milliseconds(old) <= milliseconds(young):
                raise ValueError("window: to_seconds must be greater than from_seconds")
            return Ago(milliseconds(young), None if old is None else milliseconds(old))
        case Calendar(unit=unit, n=n, full=full, time_zone=zone):
            zone_of(zone)
            return Units(unit, n, full, zone)


def held(reach: Reach, ring: Ring, now: int) -> Ring:
    """The marks that a window holds."""
    first = bisect_right(ring, (reach.after(now), LAST))
    return ring[first : bisect_right(ring, (reach.upto(now), LAST))]


def next_change(reach: Reach, ring: Ring, now: int) -> int:
    """The first instant after now at which a mark comes in or falls out; FOREVER if none does."""
    first = bisect_right(ring, (reach.after(now), LAST))
    change = reach.leaves(ring[first][0]) if first < len(ring) else FOREVER
    if reach.delayed:
        upto = bisect_right(ring, (reach.upto(now), LAST))
        change = min(change, reach.enters(ring[upto][0]) if upto < len(ring) else FOREVER)
    return change
