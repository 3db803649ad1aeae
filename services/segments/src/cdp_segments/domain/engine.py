"""Who is in which segment: what an event, a merge and the clock change about one person.

The state of every leaf is a join of the events put into it, so the order of events, their repetition and the
order of merges make no difference to the truth. Whatever is done twice is therefore done once; only what was
*told* has to be remembered (see `telling`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias
from uuid import UUID

from cdp_contracts.profiles_v1 import ProfileUpdated

from cdp_segments.domain.catalog import Catalog, Segment
from cdp_segments.domain.flipping import Changes, end_all, evaluate, take_over_definitions
from cdp_segments.domain.intake import take_event, take_record, take_traits
from cdp_segments.domain.marks import Mark
from cdp_segments.domain.person import Person, person_id
from cdp_segments.domain.telling import (
    Delivery,
    Messages,
    fired_before,
    milliseconds_of,
    tell,
    tell_by_clock,
    told_before,
)

People: TypeAlias = Mapping[str, Person]

MARK_BITS: Final = (1 << 63) - 1


class RedirectsInACircle(Exception):  # noqa: N818
    """Two records lead to each other: survivors were not chosen by age."""


def chain_of(people: People, tenant: str, profile_id: UUID | str) -> Iterator[Person]:
    """The records from the one addressed to the one that is alive, along the redirects."""
    walked: set[str] = set()
    following: str | None = person_id(tenant, profile_id)
    while following:
        if following in walked:
            raise RedirectsInACircle
        walked.add(following)
        yield people[following]
        following = people[following].target


def involved(update: ProfileUpdated) -> tuple[str, ...]:
    """The ids of the records that an update concerns."""
    ids = (update.profile_id,) if update.absorbed is None else (update.profile_id, update.absorbed)
    return tuple(person_id(update.tenant, profile_id) for profile_id in ids)


def react(people: People, update: ProfileUpdated, delivery: Delivery, catalog: Catalog) -> Messages:
    """What an update of a profile brings about; the same again if it is delivered again."""
    if update.absorbed is not None:
        return _merge(people, update, update.absorbed, delivery, catalog)
    chain = list(chain_of(people, update.tenant, update.profile_id))
    for record in chain:
        if messages := told_before(record, update.id):
            return messages
    person = chain[-1]
    _take_in_redirects(chain, catalog)
    now = _advance(person, update, delivery)
    changes = take_over_definitions(person, catalog, now)
    touched = _greet(person, catalog) | _take(person, update, catalog, now)
    changes += evaluate(person, touched, catalog, now, "event")
    return tell(person, changes, update, delivery)


def _merge(
    people: People, update: ProfileUpdated, absorbed_id: UUID, delivery: Delivery, catalog: Catalog
) -> Messages:
    """The absorbed record becomes a redirect, its memberships end, and the survivor counts for both."""
    absorbed = people[person_id(update.tenant, absorbed_id)]
    closing = told_before(absorbed, update.id) or _redirect(people, absorbed, update, delivery)
    chain = list(chain_of(people, update.tenant, absorbed.profile_id))
    survivor = chain[-1]
    _take_in_redirects(chain, catalog)
    if messages := told_before(survivor, update.id):
        return closing + messages
    now = _advance(survivor, update, delivery)
    changes = take_over_definitions(survivor, catalog, now)
    _greet(survivor, catalog)
    _take(survivor, update, catalog, now)
    survivor.next_deadline = catalog.deadline(survivor, now)
    changes += evaluate(survivor, catalog.segments.values(), catalog, now, "merge")
    return closing + tell(survivor, changes, update, delivery)


def _redirect(people: People, absorbed: Person, update: ProfileUpdated, delivery: Delivery) -> Messages:
    *_, survivor = chain_of(people, update.tenant, update.profile_id)
    if absorbed.into is not None or absorbed is survivor:
        return ()
    absorbed.into = survivor.profile_id
    absorbed.next_deadline = None
    absorbed.touch()
    return tell(absorbed, end_all(absorbed, delivery.at), update, delivery, n=1)


def wake(person: Person, until: int, catalog: Catalog) -> Messages:
    """Let the clock do its part up to an instant; or tell again what it did, if nobody acknowledged that."""
    if messages := fired_before(person):
        return messages
    if person.into is not None:
        return ()
    changes: Changes = []
    while person.next_deadline is not None and person.next_deadline <= until:
        now = person.evaluated_at = max(person.next_deadline, person.evaluated_at)
        changes += take_over_definitions(person, catalog, now)
        changes += evaluate(person, catalog.clocked, catalog, now, "timer")
        person.next_deadline = catalog.deadline(person, now)
        person.touch()
    person.evaluated_at = max(person.evaluated_at, until)
    return tell_by_clock(person, changes, until)


def release(people: Iterable[Person]) -> dict[str, Person]:
    """Let redirects go of state that their survivors, saved by now, hold; those that did."""
    released = {person.id: person for person in people if person.into and person.holds_state}
    for person in released.values():
        person.forget_state()
        person.touch()
    return released


def mark_of(update: ProfileUpdated) -> Mark:
    """When the event happened, never later than it arrived, and which one it was."""
    moment = min(update.occurred_at, update.received_at)
    return milliseconds_of(moment), update.id.int & MARK_BITS


def _advance(person: Person, update: ProfileUpdated, delivery: Delivery) -> int:
    """The instant as of which to evaluate: never before an earlier one."""
    if str(update.profile_id) == person.profile_id and person.partition != delivery.partition:
        person.partition = delivery.partition
        if person.rev:
            person.touch()
    person.evaluated_at = max(person.evaluated_at, delivery.at)
    return person.evaluated_at


def _greet(person: Person, catalog: Catalog) -> frozenset[Segment]:
    """Somebody new starts with the definitions in force: only what holds of anybody needs a look."""
    if person.definitions:
        return frozenset()
    person.definitions = catalog.fingerprint
    return catalog.open_to_all


def _take_in_redirects(chain: list[Person], catalog: Catalog) -> None:
    """Whoever meets a redirect that still holds state brings that to the survivor."""
    for redirect in chain[:-1]:
        if redirect.holds_state:
            take_record(chain[-1], redirect, catalog)


def _take(person: Person, update: ProfileUpdated, catalog: Catalog, now: int) -> set[Segment]:
    """Everything the update brings. Traits told of a profile that is part of this one by now are old news."""
    touched: set[Segment] = set()
    if str(update.profile_id) == person.profile_id:
        touched |= take_traits(person, update.traits, update.revision, catalog)
    if update.event is not None:
        touched |= take_event(person, update.event, mark_of(update), catalog, now)
    return touched
