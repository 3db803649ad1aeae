"""The segments of one tenant as they are wanted and as they are in force, and what lies between."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.feeds import Feeds, covers, feeds_of
from cdp_segments.domain.segments import Segment, linked

COUNTED = frozenset({"live", "paused"})


class World:
    """What is wanted of each segment, and what is in force: the definition that people are held against.

    A wanted version that is not in force yet is pending: its conditions are counted, nobody is held against it.
    """

    def __init__(self, wanted: Iterable[Segment], in_force: Iterable[Segment]) -> None:
        self.wanted: dict[str, Segment] = {segment.name: segment for segment in wanted}
        self.in_force = {segment.name: segment for segment in in_force if segment.name in self.wanted}
        self.pending = {name: s for name, s in self.wanted.items() if not self._stands(s)}

    def _stands(self, segment: Segment) -> bool:
        standing = self.in_force.get(segment.name)
        return standing is not None and standing.definition == segment.definition

    @cached_property
    def target(self) -> dict[str, Segment]:
        """All that is to be counted, as if what is pending were in force already, and what is paused live."""
        goal = {**self.in_force, **self.pending}
        return {s.name: s for s in linked(s for s in goal.values() if s.definition.state in COUNTED)}

    @cached_property
    def catalog(self) -> Catalog:
        """What people are held against, and what is counted besides."""
        live = [s for s in self.in_force.values() if s.definition.state == "live"]
        paused = [s for s in self.in_force.values() if s.definition.state == "paused"]
        fed = [
            self.target[name] for name in sorted({*self.pending, *(s.name for s in paused)} & self.target.keys())
        ]
        return Catalog(live, paused=paused, fed=fed)

    @property
    def counted(self) -> tuple[Segment, ...]:
        """All segments of which the conditions are counted."""
        return (*self.catalog.segments.values(), *self.catalog.fed)

    @cached_property
    def needed(self) -> dict[str, int]:
        """What that hangs on."""
        return feeds_of(self.counted)

    @cached_property
    def seeding(self) -> tuple[Segment, ...]:
        """What has to be counted from the log before it is in force."""
        return tuple(self.target[n] for n, s in sorted(self.pending.items()) if s.definition.state == "live")

    def ready(self, known: Collection[Feeds], now: int) -> list[str]:
        """What may come into force: what was counted in every partition, once its time has come (milliseconds)."""
        return [name for name, segment in sorted(self.pending.items()) if self._is_ready(segment, known, now)]

    def _is_ready(self, segment: Segment, known: Collection[Feeds], now: int) -> bool:
        effective = segment.definition.effective_at
        if effective is not None and effective.timestamp() * 1000 > now:
            return False
        if segment.definition.state != "live":
            return True
        needed = feeds_of([self.target[segment.name]])
        return all(covers(each, needed) for each in known)
