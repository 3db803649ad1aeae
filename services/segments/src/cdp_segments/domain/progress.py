"""What is kept of the lifecycle of segments: what is in force, and how far each partition has come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_runtime.records import Record, State

from cdp_segments.domain.feeds import Feeds, covers


class InForce(Record):
    """The definitions that a tenant's people are held against, by name. The id is the tenant."""

    def __init__(self, id: str) -> None:  # noqa: A002  # as the record names it
        super().__init__(id)
        self.definitions: dict[str, SegmentDefined] = {}

    def put(self, definitions: dict[str, SegmentDefined]) -> None:
        """Let these be in force, and no others."""
        self.definitions = definitions
        self.touch()

    def to_state(self) -> State:
        """See Record."""
        return {"definitions": [d.model_dump_json() for _, d in sorted(self.definitions.items())]}

    @classmethod
    def from_state(cls, id: str, state: State) -> InForce:  # noqa: A002
        """See Record."""
        found = cls(id)
        definitions = map(SegmentDefined.model_validate_json, state["definitions"])
        found.definitions = {definition.name: definition for definition in definitions}
        return found


class Replay(NamedTuple):
    """A log being counted: from `begin`, as far as `position`, up to the fence. The live stream has the rest."""

    begin: int
    position: int
    fence: int

    @property
    def share(self) -> float:
        """How much of it is done: 0 to 1."""
        return (self.position - self.begin) / (self.fence - self.begin) if self.fence > self.begin else 1.0


class Progress(Record):
    """How far a partition has come. `known` is counted from its log's beginning on, by tenant; `counting` will be
    once the replay is over. `held` are the fingerprints of the definitions that everybody there was held against.
    """

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.known: dict[str, dict[str, int]] = {}
        self.counting: dict[str, dict[str, int]] = {}
        self.replay: Replay | None = None
        self.held: dict[str, str] = {}

    def share(self, tenant: str, needed: Feeds) -> float:
        """How much of what is needed was counted here: 0 to 1."""
        known, counting = self.known.get(tenant, {}), self.counting.get(tenant, {})
        if covers(known, needed):
            return 1.0
        later = {key: max(known.get(key, 0), counting.get(key, 0)) for key in needed}
        return self.replay.share if self.replay and covers(later, needed) else 0.0

    def keep(self, tenant: str, needed: dict[str, int]) -> None:
        """Let go of what is not counted any more: it would have a gap."""
        for feeds in (self.known, self.counting):
            before = feeds.get(tenant, {})
            kept = {key: min(size, needed[key]) for key, size in before.items() if key in needed}
            if kept != before:
                feeds[tenant] = kept
                self.touch()

    def learn(self, tenant: str, feeds: dict[str, int]) -> None:
        """These are counted from the beginning."""
        known = self.known.setdefault(tenant, {})
        known.update({key: max(size, known.get(key, 0)) for key, size in feeds.items()})
        self.touch()

    def begin(self, replay: Replay, counting: dict[str, dict[str, int]]) -> None:
        """Count these from the log."""
        self.replay, self.counting = replay, counting
        self.touch()

    def reach(self, position: int) -> None:
        """All before the position is counted; at the fence, what was counted is known."""
        if self.replay is None:
            return
        self.replay = self.replay._replace(position=position)
        if position >= self.replay.fence:
            for tenant, feeds in self.counting.items():
                self.learn(tenant, feeds)
            self.replay, self.counting = None, {}
        self.touch()

    def hold(self, tenant: str, fingerprint: str) -> None:
        """Everybody here was held against these definitions."""
        self.held[tenant] = fingerprint
        self.touch()

    def to_state(self) -> State:
        """See Record. Names of tenants and feeds are values, for they may hold dots."""
        return {
            "known": dump(self.known),
            "counting": dump(self.counting),
            "replay": list(self.replay) if self.replay else None,
            "held": [list(pair) for pair in sorted(self.held.items())],
        }

    @classmethod
    def from_state(cls, id: str, state: State) -> Progress:  # noqa: A002
        """See Record."""
        found = cls(id)
        found.known, found.counting = parse(state["known"]), parse(state["counting"])
        found.replay = Replay(*state["replay"]) if state["replay"] else None
        found.held = dict(state["held"])
        return found


def first_ever(in_force: Iterable[InForce], progress: Iterable[Progress]) -> bool:
    """Whether nothing was ever in force or counted: then all that is defined is in force at once."""
    return not any(record.rev for record in (*in_force, *progress))


def dump(feeds: dict[str, dict[str, int]]) -> list[State]:
    """Feeds by tenant as BSON can hold them."""
    return [
        {"tenant": tenant, "feeds": [list(pair) for pair in sorted(each.items())]}
        for tenant, each in sorted(feeds.items())
    ]


def parse(states: list[State]) -> dict[str, dict[str, int]]:
    """The inverse."""
    return {state["tenant"]: dict(state["feeds"]) for state in states}
