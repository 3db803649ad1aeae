"""How far each segment of a tenant has come: what is wanted of it, and what is in force."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple, TypeAlias

from cdp_segments.domain.feeds import feeds_of
from cdp_segments.domain.progress import Progress
from cdp_segments.domain.segments import Segment
from cdp_segments.domain.worlds import COUNTED, World

Status: TypeAlias = Literal["draft", "counting", "live", "paused", "archived"]


class Come(NamedTuple):
    """How far a segment has come. While it is `counting`, what is in force serves, if anything is."""

    wanted: Segment
    in_force: Segment | None
    status: Status
    percent: int | None

    @property
    def version(self) -> int | None:
        """The version in force."""
        return None if self.in_force is None else self.in_force.definition.version

    @property
    def serving(self) -> Segment | None:
        """The version that people may be in, and whose conditions are counted."""
        standing = self.in_force
        return standing if standing is not None and standing.definition.state in COUNTED else None


def come(name: str, tenant: str, world: World, progress: Collection[Progress]) -> Come:
    """How far a segment has come, given how far every partition has."""
    wanted, in_force = world.wanted[name], world.in_force.get(name)
    if name not in world.pending or wanted.definition.state != "live":
        return Come(wanted, in_force, (in_force or wanted).definition.state, None)
    needed = feeds_of([world.target[name]])
    shares = [each.share(tenant, needed) for each in progress]
    return Come(wanted, in_force, "counting", int(100 * sum(shares) / len(shares)))
