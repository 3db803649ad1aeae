"""What an update and the clock change about somebody's computed traits.

Only what an event touched is computed again, what the clock is due to change, and all of it after a merge, an
unmerge or a change of the definitions: values belong to the person, whoever they were before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias
from uuid import UUID

from cdp_contracts.computed_v1 import ComputedTrait, TraitsComputed
from cdp_contracts.envelope import Message, derived_id
from cdp_contracts.profiles_v1 import ProfileUpdated

from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.computations import Decaying
from cdp_segments.domain.computed import Stated, Untold
from cdp_segments.domain.engine import involved
from cdp_segments.domain.moving import People, within_reach
from cdp_segments.domain.person import Person
from cdp_segments.domain.quantities import MARKS_KEPT
from cdp_segments.domain.telling import Delivery, moment_of

Cause: TypeAlias = Literal["event", "timer", "merge", "definition"]
News: TypeAlias = tuple[TraitsComputed, ...]

CAPPED: Final = f"of the newest {MARKS_KEPT} events"


def compute(people: People, update: ProfileUpdated, delivery: Delivery, catalog: Catalog) -> News:
    """The computed traits of those whom an update concerns, as far as they changed; told again if it comes again.

    `react` must have counted the update before.
    """
    messages: list[TraitsComputed] = []
    for person in within_reach(people, involved(update)):
        messages += person.computed.told_before(update.id)
        if news := _recompute(person, update, delivery, catalog):
            place = Untold(str(update.id), delivery.partition, delivery.offset, news.model_dump_json())
            person.computed.keep(place)
            messages.append(news)
    return tuple(messages)


def compute_by_clock(person: Person, until: int, catalog: Catalog) -> News:
    """What the clock changes up to an instant; or tell again what it did, if nobody acknowledged that."""
    if told := person.computed.told_before(""):
        return told
    names = {n for n, s in person.computed.stated.items() if s.due is not None and s.due <= until}
    if person.into is not None or not names:
        return ()
    now = person.evaluated_at = max(person.evaluated_at, until)
    outdated = _outdated(person, catalog)
    person.touch()
    if not _state(person, catalog.computed.by_name if outdated else names, now, catalog):
        return ()
    version = person.computed.version + 1
    id_, due = derived_id(person.id, "traits-by-clock", version), moment_of(now)
    cause = Message(tenant=person.tenant, id=id_, message_id=str(id_), occurred_at=due, received_at=due)
    message = _message(person, cause, id_, "definition" if outdated else "timer", now)
    person.computed.keep(Untold("", None, until, message.model_dump_json()))
    return (message,)


def _recompute(
    person: Person, update: ProfileUpdated, delivery: Delivery, catalog: Catalog
) -> TraitsComputed | None:
    moved, person.moved = person.moved, set()
    if person.into is not None:
        person.computed.stated = {}  # it was saved as a redirect already, or it will be
        return None
    outdated = _outdated(person, catalog)
    names = catalog.computed.by_name if outdated else catalog.computed.looking_at(moved)
    now = max(person.evaluated_at, delivery.at)
    if not (names or outdated) or not _state(person, names, now, catalog):
        return None
    id_ = derived_id(update.id, f"traits-computed/{person.profile_id}", person.computed.version + 1)
    merged = update.absorbed is not None or update.partings
    why: Cause = "merge" if merged else "definition" if outdated and not moved else "event"
    return _message(person, update, id_, why, now)


def _outdated(person: Person, catalog: Catalog) -> bool:
    """Whether the definitions changed since; from now on they have not."""
    before, person.computed.definitions = person.computed.definitions, catalog.computed.fingerprint
    return before != person.computed.definitions


def _state(person: Person, names: Iterable[str], now: int, catalog: Catalog) -> bool:
    """Compute these traits, and let go of those that are defined no more; whether what is told changed."""
    before = person.computed.stated
    stated = {name: said for name, said in before.items() if name in catalog.computed.by_name}
    for name in names:
        said = _stated(person, name, now, catalog)
        if said.value is None and said.due is None:
            stated.pop(name, None)
        else:
            stated[name] = said
    person.computed.stated = stated
    if stated != before:
        person.touch()
    return _told(stated) != _told(before)


def _stated(person: Person, name: str, now: int, catalog: Catalog) -> Stated:
    """What is to be said of a trait at an instant: since when, if it is what was said before and is so still."""
    trait = catalog.computed.by_name[name]
    how = trait.computation
    note = CAPPED if how.capped(person, now) else None
    said = Stated(how.value(person, now), trait.definition.version, now, note, how.due(person, now))
    known = person.computed.stated.get(name)
    if known is None or known._replace(at=now, due=said.due) != said or (isinstance(how, Decaying) and said.value):
        return said
    return said._replace(at=known.at)


def _told(stated: dict[str, Stated]) -> dict[str, Stated]:
    """What is told of it."""
    return {name: said._replace(due=None) for name, said in stated.items() if said.value is not None}


def _message(person: Person, cause: Message, id_: UUID, why: Cause, now: int) -> TraitsComputed:
    computed = person.computed
    computed.version += 1
    return TraitsComputed(
        tenant=person.tenant,
        id=id_,
        message_id=cause.message_id,
        occurred_at=cause.occurred_at,
        received_at=cause.received_at,
        profile_id=UUID(person.profile_id),
        version=computed.version,
        cause=why,
        traits={
            name: ComputedTrait(value=said.value, version=said.version, at=moment_of(said.at), note=said.note)
            for name, said in sorted(computed.stated.items())
            if said.value is not None
        },
        computed_at=moment_of(now),
    )
