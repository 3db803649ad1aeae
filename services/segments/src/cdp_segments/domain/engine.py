"""Who is in which segment: what an event, a merge, an unmerge and the clock change about one person.

The state of every leaf is a join of the events put into it, so the order of events, their repetition and the
order of merges and partings make no difference to the truth. Whatever is done twice is therefore done once; only
what was *told* has to be remembered (see `telling`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cdp_contracts.envelope import JsonObject
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_runtime.redirects import chain_of

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.flipping import Changes, end_all, evaluate, take_over_definitions
from cdp_segments.domain.intake import take_event, take_traits, wait_with
from cdp_segments.domain.marks import Mark
from cdp_segments.domain.moving import People, formerly, giver_on, hand_over, leave, within_reach
from cdp_segments.domain.person import Away, Person, person_id
from cdp_segments.domain.segments import Segment
from cdp_segments.domain.telling import (
    Delivery,
    Messages,
    fired_before,
    milliseconds_of,
    tell,
    tell_by_clock,
    told_before,
)

MARK_BITS: Final = (1 << 63) - 1
TRAITS_ALONE: Final = "/traits"
COMPUTED: Final = "computed"


def involved(update: ProfileUpdated) -> tuple[str, ...]:
    """The ids of the records that an update concerns."""
    others = [update.absorbed] if update.absorbed else [parting.profile_id for parting in update.partings]
    return tuple(person_id(update.tenant, profile_id) for profile_id in (update.profile_id, *others))


def react(people: People, update: ProfileUpdated, delivery: Delivery, catalog: Catalog) -> Messages:
    """What an update of a profile brings about; the same again if it is delivered again."""
    if update.absorbed is not None or update.partings:
        return _regroup(people, update, delivery, catalog)
    chain = list(chain_of(people, person_id(update.tenant, update.profile_id), update.part))
    person = chain[-1]
    told = ((record, told_before(record, update.id)) for record in (*chain, *formerly(people, chain)))
    taker, messages = next(((record, said) for record, said in told if said), (person, ()))
    apart = _learn(people, taker, update, delivery, catalog)
    if messages:
        return apart + messages
    if update.event is not None and (giver := giver_on(chain[:-1], update.part or "")):
        wait_with(giver, update.event, mark_of(update), catalog, update.part or "")
        if not update.traits:
            return apart
    now = _advance(person, update, delivery)
    changes = take_over_definitions(person, catalog, now)
    touched = _greet(person, catalog) | _take_traits(person, update, catalog)
    if update.event is not None:
        touched |= take_event(person, update.event, mark_of(update), catalog, now, part=update.part or "")
    changes += evaluate(person, touched, catalog, now, update.cause)
    return apart + tell(person, changes, update, delivery)


def _learn(
    people: People, taker: Person, update: ProfileUpdated, delivery: Delivery, catalog: Catalog
) -> Messages:
    """The traits that an event left on a profile though another took the event: it was parted from there.

    It may have come back since: then this one has the event by now, and not yet the traits.
    """
    if not update.traits:
        return ()
    *before, addressed = chain_of(people, person_id(update.tenant, update.profile_id))
    for record in (addressed, *before):
        if messages := told_before(record, update.id, TRAITS_ALONE):
            return messages
    if addressed is taker:
        return ()
    now = _advance(addressed, update, delivery)
    changes = take_over_definitions(addressed, catalog, now)
    touched = _greet(addressed, catalog) | _take_traits(addressed, update, catalog)
    changes += evaluate(addressed, touched, catalog, now, update.cause)
    return tell(addressed, changes, update, delivery, TRAITS_ALONE)


def _regroup(people: People, update: ProfileUpdated, delivery: Delivery, catalog: Catalog) -> Messages:
    """Who is one person changed: shares go to whom they are of now, and who has others than before is judged."""
    if update.absorbed is not None:
        _close(people, update, people[person_id(update.tenant, update.absorbed)], delivery)
    chain = list(chain_of(people, person_id(update.tenant, update.absorbed or update.profile_id)))
    person = chain[-1]
    person.note(_partings(chain, update))
    leave(people, person, catalog)
    takers = hand_over(people, chain, catalog)
    messages: Messages = ()
    for record in within_reach(people, reversed(involved(update))):
        told = told_before(record, update.id)
        messages += told
        if record.id in takers or (record is person and not told):
            again = f"/{record.version}" if told else ""  # after an interruption more may have come with it
            messages += _judge(record, update, delivery, catalog, again)
    return messages


def _close(people: People, update: ProfileUpdated, absorbed: Person, delivery: Delivery) -> None:
    """Make the absorbed record a redirect and end its memberships, unless it is one."""
    *_, survivor = chain_of(people, person_id(update.tenant, update.profile_id))
    if absorbed.into is None and absorbed is not survivor:
        absorbed.into = survivor.profile_id
        absorbed.next_deadline = None
        absorbed.facts = {}
        absorbed.touch()
        tell(absorbed, end_all(absorbed, delivery.at), update, delivery)


def _partings(chain: Iterable[Person], update: ProfileUpdated) -> Iterator[tuple[str, Away]]:
    """Whose identifiers are, as far as the records and the update know."""
    for record in chain:
        yield from record.parted.items()
    for parting in update.partings:
        for part in parting.identifiers:
            yield part, Away(update.parting_version, str(parting.profile_id))


def _judge(person: Person, update: ProfileUpdated, delivery: Delivery, catalog: Catalog, kind: str) -> Messages:
    """Hold somebody of whom more changed than an event can against every segment."""
    now = _advance(person, update, delivery)
    changes = take_over_definitions(person, catalog, now)
    _greet(person, catalog)
    _take_traits(person, update, catalog)
    person.next_deadline = catalog.deadline(person, now)
    changes += evaluate(person, catalog.segments.values(), catalog, now, "merge")
    return tell(person, changes, update, delivery, kind)


def wake(person: Person, until: int, catalog: Catalog) -> Messages:
    """Let the clock do its part up to an instant; or tell again what it did, if nobody acknowledged that."""
    if messages := fired_before(person):
        return messages
    if person.into is not None:
        return ()
    return tell_by_clock(person, pass_time(person, until, catalog), until)


def pass_time(person: Person, until: int, catalog: Catalog) -> Changes:
    """What the clock flips up to an instant."""
    changes: Changes = []
    while person.next_deadline is not None and person.next_deadline <= until:
        now = person.evaluated_at = max(person.next_deadline, person.evaluated_at)
        changes += take_over_definitions(person, catalog, now)
        changes += evaluate(person, catalog.clocked(person), catalog, now, "timer")
        person.next_deadline = catalog.deadline(person, now)
        person.touch()
    person.evaluated_at = max(person.evaluated_at, until)
    return changes


def mark_of(update: ProfileUpdated) -> Mark:
    """When the event happened, never later than it arrived, and which one it was."""
    moment = min(update.occurred_at, update.received_at)
    return milliseconds_of(moment), update.id.int & MARK_BITS


def _advance(person: Person, update: ProfileUpdated, delivery: Delivery) -> int:
    """The instant as of which to evaluate: never before an earlier one."""
    if str(update.profile_id) == person.profile_id and person.partition != delivery.partition:
        person.partition = delivery.partition
        if person.rev or update.cause == "merge":  # a share may come that has no place in this partition
            person.touch()
    person.evaluated_at = max(person.evaluated_at, delivery.at)
    return person.evaluated_at


def _greet(person: Person, catalog: Catalog) -> frozenset[Segment]:
    """Somebody new starts with the definitions in force: only what holds of anybody needs a look."""
    if person.definitions:
        return frozenset()
    person.definitions = catalog.fingerprint
    if any(segment.truth(person, person.evaluated_at) for segment in catalog.awaited):
        person.touch()
    return catalog.open_to_all


def _take_traits(person: Person, update: ProfileUpdated, catalog: Catalog) -> set[Segment]:
    """Traits told of a profile that is part of this one by now are old news."""
    if str(update.profile_id) != person.profile_id:
        return set()
    return take_traits(person, known_traits(update), update.revision, catalog)


def known_traits(update: ProfileUpdated) -> JsonObject:
    """The traits that an update tells; `computed` are those that are computed, whatever a sender calls so."""
    told = {name: value for name, value in update.traits.items() if name != COMPUTED}
    return told if update.computed is None else {**told, COMPUTED: update.computed}
