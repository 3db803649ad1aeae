"""What a partition of the topic says about one segment, record by record. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from cdp_contracts.segments_v1 import MembershipChange, MembershipChanged, SegmentViewEntry
from pydantic import ValidationError

REMEMBERED: Final = 100_000
NOBODY: Final = UUID(int=0)


class Record(Protocol):
    """A record of the topic, as aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Unreadable(Exception):  # noqa: N818
    """A message that this version of the client cannot read. Says where it stands, never what is in it."""


@dataclass(frozen=True, slots=True)
class Flip:
    """One person entered or left the segment; with `snapshot`, whether the person is in it as things stand.

    `change` says why. A snapshot has none if something else was told of the person since.
    """

    profile_id: UUID
    entered: bool
    version: int
    message: MembershipChanged
    change: MembershipChange | None = None
    snapshot: bool = False

    @classmethod
    def of(cls, message: MembershipChanged, change: MembershipChange) -> Flip:
        """A flip that was told."""
        return cls(message.profile_id, change.member, message.version, message, change)

    @classmethod
    def state(cls, message: MembershipChanged, segment: str) -> Flip:
        """What a person's newest message says of the segment."""
        entered = segment in message.memberships
        change = next((each for each in message.changes if each.segment == segment), None)
        return cls(message.profile_id, entered, message.version, message, change, snapshot=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose flips: of one segment, and of one tenant if that is given."""

    segment: str
    tenant: str | None = None

    def member(self, message: MembershipChanged) -> bool:
        """Whether the person is in the segment."""
        return self.ours(message) and self.segment in message.memberships

    def ours(self, message: MembershipChanged) -> bool:
        """Whether the tenant is meant."""
        return self.tenant in (None, message.tenant)

    def flips(self, message: MembershipChanged) -> list[Flip]:
        """The flips that a message tells."""
        return [Flip.of(message, change) for change in message.changes if change.segment == self.segment]


class Versions:
    """The newest version of each person's membership; who has not moved for longest is forgotten first."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._newest: dict[UUID, int] = {}

    def of(self, profile_id: UUID) -> int:
        """The newest that was seen; 0 if none is remembered."""
        return self._newest.get(profile_id, 0)

    def is_news(self, message: MembershipChanged) -> bool:
        """Whether it is newer than all that was seen of the person; from now on it is not."""
        if message.version <= self.of(message.profile_id):
            return False
        self._newest.pop(message.profile_id, None)
        self._newest[message.profile_id] = message.version
        if len(self._newest) > self._most:
            del self._newest[next(iter(self._newest))]
        return True


class Gathering:
    """Reads a partition up to an offset and knows its members then. Holds one message a member, as bytes."""

    def __init__(self, wanted: Wanted, until: int) -> None:
        self.versions = Versions()
        self._wanted = wanted
        self._until = until
        self._members: dict[UUID, tuple[int, bytes]] = {}

    def take(self, record: Record) -> None:
        """Take one record in, unless it lies behind. Raises Unreadable."""
        if record.offset >= self._until:
            return
        message = message_in(record)
        if message is None:
            self._members.pop(person_of(record), None)
        elif self.versions.is_news(message):
            known, _ = self._members.get(message.profile_id, (0, b""))
            if not self._wanted.member(message):
                self._members.pop(message.profile_id, None)
            elif message.version > known and record.value:
                self._members[message.profile_id] = (message.version, record.value)

    def members(self) -> Iterator[Flip]:
        """Who is a member, once each; what was told is let go."""
        while self._members:
            _, (_, value) = self._members.popitem()
            yield Flip.state(MembershipChanged.model_validate_json(value), self._wanted.segment)


class Following:
    """Reads a partition on from a position: each flip once by version.

    Records before the position are only looked at, for the versions that were handled. With `states`, what
    compaction took out behind the position is made good: where offsets are missing, or with `holes`, a person
    whose versions are not known without a gap is told as things stand.
    """

    def __init__(
        self,
        wanted: Wanted,
        position: int,
        versions: Versions | None = None,
        *,
        states: bool,
        holes: bool = False,
    ) -> None:
        self._wanted = wanted
        self._position = position
        self._next = position
        self.versions = versions or Versions()
        self._states = states
        self._holes = holes

    @property
    def reached(self) -> int:
        """The offset behind the last record whose flips were given out."""
        return self._next

    def take(self, record: Record) -> list[Flip]:
        """What follows from a record: usually nothing, or one flip. Raises Unreadable."""
        if record.offset < self._position:
            self._look_at(record)
            return []
        self._holes = self._holes or record.offset > self._next
        self._next = record.offset + 1
        message = message_in(record)
        if message is None:
            return []
        known = self.versions.of(message.profile_id)
        if not self.versions.is_news(message) or not self._wanted.ours(message):
            return []
        flips = self._wanted.flips(message)
        if not flips and self._states and self._holes and message.version != known + 1:
            return [Flip.state(message, self._wanted.segment)]
        return flips

    def _look_at(self, record: Record) -> None:
        try:
            message = message_in(record)
        except Unreadable:
            return  # it was passed over
        if message:
            self.versions.is_news(message)


def message_in(record: Record) -> MembershipChanged | None:
    """The message of a record; None for a tombstone, Unreadable for what is none."""
    if record.value is None:
        return None
    try:
        return MembershipChanged.model_validate_json(record.value)
    except ValidationError:
        raise unreadable(record) from None


def entry_in(record: Record) -> SegmentViewEntry | None:
    """The entry of a view in a record; None for a tombstone, Unreadable for what is none."""
    if record.value is None:
        return None
    try:
        return SegmentViewEntry.model_validate_json(record.value)
    except ValidationError:
        raise unreadable(record) from None


def unreadable(record: Record) -> Unreadable:
    """Names the place."""
    place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
    return Unreadable(f"{place}: not a message that this client can read")


def person_of(record: Record) -> UUID:
    """Whose key it is; of a key that is nobody's, nobody."""
    try:
        return UUID((record.key or b"").decode())
    except ValueError:
        return NOBODY
