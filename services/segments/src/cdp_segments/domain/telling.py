"""Flips become messages, and messages are told again word for word when their cause is delivered again.

They are first told in the order of their versions. Causes in one partition see to that alone: what a killed
worker left untold is delivered again before anything later. What came from elsewhere, by the clock or through a
redirect from another partition, may be untold while others go on, so it is told before anything newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from cdp_contracts.envelope import Message, derived_id
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_contracts.segments_v1 import Membership, MembershipChange, MembershipChanged

from cdp_segments.domain.person import Fired, Person, Told

Messages: TypeAlias = tuple[MembershipChanged, ...]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


def milliseconds_of(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return (moment - EPOCH) // MILLISECOND


def moment_of(milliseconds: int) -> datetime:
    """The inverse."""
    return EPOCH + milliseconds * MILLISECOND


class Delivery(NamedTuple):
    """Where a message stands in its topic and when it was written there: the evaluation's `now`.

    It is the same on every redelivery, and behind a backlog it is the past, so that nothing is concluded from
    events that are not read yet.
    """

    partition: int
    offset: int
    at: int


def tell(
    person: Person, changes: Sequence[MembershipChange], update: ProfileUpdated, delivery: Delivery, kind: str = ""
) -> Messages:
    """The message of these flips, kept until it is acknowledged, after what may be untold; nothing for none.

    An update may flip something of several people, and of one of them by several kinds of what is in it.
    """
    if not changes:
        return ()
    untold = _kept(person, delivery.partition, person.version + 1)
    person.told = [
        told._replace(partition=delivery.partition, offset=delivery.offset)
        if told.partition != delivery.partition
        else told
        for told in person.told
    ]
    whose = "" if person.profile_id == str(update.profile_id) else f"/{person.profile_id}"
    id_ = derived_id(update.id, f"membership{kind}{whose}")
    message = _message(person, changes, update, id_, delivery.at)
    told = Told(
        f"{update.id}{kind}", delivery.partition, delivery.offset, message.version, message.model_dump_json()
    )
    person.told.append(told)
    person.touch()
    return (*untold, message)


def tell_by_clock(person: Person, changes: Sequence[MembershipChange], until: int) -> Messages:
    """The message of flips that the clock brought about. It goes back to no event but to itself."""
    if not changes:
        return ()
    untold = _kept(person, person.partition, person.version + 1)
    due = changes[-1].effective_at
    id_ = derived_id(person.id, "membership-by-clock", person.version + 1)
    cause = Message(tenant=person.tenant, id=id_, message_id=str(id_), occurred_at=due, received_at=due)
    message = _message(person, changes, cause, id_, until)
    person.fired = Fired(until, message.version, message.model_dump_json())
    person.touch()
    return (*untold, message)


def told_before(person: Person, cause: UUID, kind: str = "") -> Messages:
    """What this cause brought about when it was handled before; with what came later, so that it stays last."""
    mine = next((told for told in person.told if told.cause == f"{cause}{kind}"), None)
    if mine is None:
        return ()
    place = mine.partition, mine.offset
    first = min(told.version for told in person.told if (told.partition, told.offset) == place)
    return _kept(person, mine.partition, first)


def fired_before(person: Person) -> Messages:
    """What the clock brought about and nobody acknowledged; with what came later."""
    return _kept(person, person.partition, person.fired.version) if person.fired else ()


def acknowledge(person: Person) -> None:
    """What the clock brought about has arrived, and what was told ahead of it."""
    if person.fired:
        version, person.fired = person.fired.version, None
        person.told = [
            told for told in person.told if told.partition == person.partition or told.version > version
        ]
        person.touch()
    if person.computed.acknowledge_clock():
        person.touch()


def forget_acknowledged(people: Iterable[Person], batch_starts: Mapping[int, int]) -> None:
    """Let go of messages whose cause stands before this batch: they were acknowledged before it began."""
    for person in people:
        person.computed.forget_before(batch_starts)
        if person.told:
            person.told = [told for told in person.told if told.offset >= batch_starts.get(told.partition, 0)]


def _kept(person: Person, partition: int | None, first: int) -> Messages:
    """What may be untold, in order: from this partition what is not before `first`, all from elsewhere."""
    kept = {t.version: t.message for t in person.told if t.partition != partition or t.version >= first}
    if person.fired:
        kept[person.fired.version] = person.fired.message
    return tuple(MembershipChanged.model_validate_json(kept[number]) for number in sorted(kept))


def _message(
    person: Person, changes: Sequence[MembershipChange], cause: Message, id_: UUID, computed_at: int
) -> MembershipChanged:
    person.version += 1
    return MembershipChanged(
        tenant=person.tenant,
        id=id_,
        message_id=cause.message_id,
        occurred_at=cause.occurred_at,
        received_at=cause.received_at,
        profile_id=UUID(person.profile_id),
        version=person.version,
        changes=tuple(changes),
        memberships={
            name: Membership(
                since=moment_of(member.since),
                expires_at=None if member.expires_at is None else moment_of(member.expires_at),
            )
            for name, member in sorted(person.members.items())
        },
        computed_at=moment_of(computed_at),
    )
