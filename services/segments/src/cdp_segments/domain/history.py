"""What one person entered and left: kept to the newest flips, and what follows from them for any instant."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from cdp_contracts.segments_v1 import MembershipChange, MembershipChanged, Reason
from cdp_runtime.records import Record, State
from pydantic import JsonValue, TypeAdapter

from cdp_segments.domain.telling import milliseconds_of

FLIPS_KEPT: Final = 200
REASONS_KEPT: Final = 8
LONGEST: Final = 200
UNSEEN: Final = "unseen"
"""The cause of a flip that was told in a message which is gone: the topic keeps a person's latest."""


class Flip(NamedTuple):
    """Somebody entered or left a segment. `since` says of an exit when the membership began, if that is known."""

    at: int
    segment: str
    segment_version: int | None
    member: bool
    cause: str
    since: int | None
    version: int
    reasons: tuple[Reason, ...]


FLIPS: Final[TypeAdapter[list[Flip]]] = TypeAdapter(list[Flip])


class History(Record):
    """The newest flips of one person, and where that left them.

    `version` is that of the last message taken in: each is taken once. `reach` is the instant before which nothing
    is known; None if the flips go back to the first.
    """

    def __init__(self, id: str) -> None:  # noqa: A002  # as the record names it
        super().__init__(id)
        self.version = 0
        self.reach: int | None = None
        self.members: dict[str, int] = {}
        self.flips: list[Flip] = []
        self.forgotten = 0

    def take(self, message: MembershipChanged) -> tuple[Flip, ...]:
        """Note the flips of a message, and those that must have come before it; none if it was taken before."""
        if message.version <= self.version:
            return ()
        flips = [flip_of(change, message, self.members.get(change.segment)) for change in message.changes]
        if message.version > self.version + 1:
            flips = [*self._unseen(message), *flips]
            self.reach = milliseconds_of(message.computed_at)
        self.version = message.version
        self.members = {name: milliseconds_of(m.since) for name, m in message.memberships.items()}
        self._keep(flips)
        self.touch()
        return tuple(flips)

    def at(self, instant: int) -> dict[str, int] | None:
        """The segments that the person was in at an instant, with since when; None beyond the reach."""
        if self.reach is not None and instant < self.reach:
            return None
        members = dict(self.members)
        for flip in reversed(self.flips):
            if flip.at > instant and flip.member:
                members.pop(flip.segment, None)
            elif flip.at > instant:
                members[flip.segment] = flip.at if flip.since is None else flip.since
        return members

    def _unseen(self, message: MembershipChanged) -> Iterator[Flip]:
        """What must have happened between the last message taken and this one."""
        then = before(message)
        at = milliseconds_of(message.computed_at)
        for name in sorted(self.members.keys() - then.keys()):
            yield Flip(at, name, None, False, UNSEEN, self.members[name], message.version, ())
        for name in sorted(then.keys() - self.members.keys()):
            yield Flip(min(at, then[name]), name, None, True, UNSEEN, None, message.version, ())

    def _keep(self, flips: Sequence[Flip]) -> None:
        self.flips += flips
        forgotten = self.flips[:-FLIPS_KEPT]
        if forgotten:
            self.reach = max(self.reach or 0, *(flip.at for flip in forgotten))
            self.forgotten += len(forgotten)
            del self.flips[: len(forgotten)]

    def to_state(self) -> State:
        """See Record."""
        return {
            "version": self.version,
            "reach": self.reach,
            "forgotten": self.forgotten,
            "members": [[segment, since] for segment, since in sorted(self.members.items())],
            "flips": FLIPS.dump_json(self.flips).decode(),
        }

    @classmethod
    def from_state(cls, id: str, state: State) -> History:  # noqa: A002
        """See Record."""
        history = cls(id)
        history.version, history.reach = state["version"], state["reach"]
        history.forgotten = state["forgotten"]
        history.members = dict(state["members"])
        history.flips = FLIPS.validate_json(state["flips"])
        return history


def before(message: MembershipChanged) -> dict[str, int]:
    """The segments that the person was in before a message, with since when; of those that it ends, until when."""
    members = {name: milliseconds_of(member.since) for name, member in message.memberships.items()}
    for change in message.changes:
        if change.member:
            members.pop(change.segment, None)
        else:
            members[change.segment] = milliseconds_of(change.effective_at)
    return members


def flip_of(change: MembershipChange, message: MembershipChanged, since: int | None) -> Flip:
    """A flip as it is kept."""
    return Flip(
        milliseconds_of(change.effective_at),
        change.segment,
        change.segment_version,
        change.member,
        change.cause,
        None if change.member else since,
        message.version,
        tuple(map(brief, change.reasons[:REASONS_KEPT])),
    )


def brief(reason: Reason) -> Reason:
    """A reason of bounded size."""
    short = {"value": small(reason.value), "threshold": small(reason.threshold)}
    return reason.model_copy(update={**short, "condition": clipped(reason.condition)})


def small(value: JsonValue) -> JsonValue:
    """The value, or null if it is a long one."""
    return value if len(json.dumps(value)) <= LONGEST else None


def clipped(text: str) -> str:
    """The text, or its beginning."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
