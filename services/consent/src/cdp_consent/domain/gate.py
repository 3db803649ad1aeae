"""A batch at the gate: hear what its events say, in their order, and decide each by what then stands."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from cdp_contracts.events_v1 import EventValidated
from cdp_runtime.pseudonyms import Pseudonymizer
from pydantic import JsonValue, TypeAdapter

from cdp_consent.domain.choices import Signal
from cdp_consent.domain.decision import Reading, Verdict, decide, read
from cdp_consent.domain.ledger import Provenance, Subject
from cdp_consent.domain.policy import PolicyBook

REDELIVERY: Final = timedelta(minutes=15)
MEMORY: Final[TypeAdapter[tuple[datetime, Verdict]]] = TypeAdapter(tuple[datetime, Verdict])


class Known(Protocol):
    """A subject as its store hands it out, with the verdicts that a redelivery must not change.

    `rev` is 0 as long as it was never stored.
    """

    subject: Subject
    rev: int

    def seen(self, message_id: UUID, /) -> bool:
        """Whether a verdict is remembered."""
        ...

    def outcome(self, message_id: UUID, /) -> JsonValue:
        """What is remembered."""
        ...

    def remember(self, message_id: UUID, now: datetime, outcome: JsonValue, /) -> None:
        """Keep a verdict with the next save."""
        ...

    def touch(self) -> None:
        """Save it."""
        ...


@dataclass(frozen=True, slots=True)
class Ids:
    """The pseudonyms of an event: whose choices it carries, and whose choices bear on it.

    `former` has, by each of them, what it was under former peppers.
    """

    speaking: tuple[str, ...]
    bearing: tuple[str, ...]
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def all(self) -> tuple[str, ...]:
        """Everything that the choices may be stored under."""
        return self.bearing + tuple(name for names in self.former.values() for name in names)

    def stored(self, known: Mapping[str, Known]) -> Ids:
        """The same as they are stored: who was known under a former pepper stays known by that pseudonym alone.

        Should one be stored under several, each of them speaks and bears: the most restrictive holds.
        """
        if not self.former:
            return self

        def found(names: Iterable[str]) -> tuple[str, ...]:
            every = ((name, [n for n in (name, *self.former.get(name, ())) if known[n].rev]) for name in names)
            return tuple(dict.fromkeys(name for current, there in every for name in there or [current]))

        return Ids(found(self.speaking), found(self.bearing))


def ids_of(event: EventValidated, pseudonyms: Pseudonymizer) -> Ids:
    """The ids on an event. An alias's previous id may be of either kind: it bears on the event as both."""
    inner, former = event.event, dict[str, tuple[str, ...]]()

    def named(kind: str, value: str) -> str:
        name, *others = pseudonyms.all_of(event.tenant, kind, value)
        if others:
            former[name] = tuple(others)
        return name

    own = {"user_id": inner.user_id, "anonymous_id": inner.anonymous_id, "cookie": inner.first_party_id}
    spelled = [(kind, plain(value)) for kind, value in own.items()]
    speaking = [named(kind, value) for kind, value in spelled if value] or [event.subject]
    previous = plain(inner.previous_id)
    before = [named(kind, previous) for kind in ("user_id", "anonymous_id") if previous]
    return Ids(tuple(speaking), tuple(dict.fromkeys(speaking + before)), former)


def plain(value: str | None) -> str:
    """An id as it is hashed: NFKC, no space around it."""
    return unicodedata.normalize("NFKC", value).strip() if value else ""


@dataclass(frozen=True, slots=True)
class Case:
    """An event, what it says, and how it was decided."""

    event: EventValidated
    ids: Ids
    reading: Reading
    verdict: Verdict


def judge(
    events: Iterable[tuple[EventValidated, Ids]], known: Mapping[str, Known], book: PolicyBook, now: datetime
) -> list[tuple[EventValidated, Verdict]]:
    """Decide every event, in order; a choice holds for the later events of its ids, a copy is decided alike.

    `known` holds all that the ids of the events may be stored under, and takes in what they say. Where a choice
    changed a subject, the verdicts that would now be others are remembered with it: a redelivery is decided as it
    was the first time.
    """
    cases: dict[UUID, Case] = {}
    changed: set[str] = set()
    verdicts: list[tuple[EventValidated, Verdict]] = []
    for event, named in events:
        if event.id not in cases:
            ids = named.stored(known)
            reading = read(event, book.in_force(event.tenant, event.received_at))
            changed.update(_hear(event, reading, ids, known, now))
            verdict = _remembered(event, ids, known, now) or _decide(reading, ids, known)
            cases[event.id] = Case(event, ids, reading, verdict)
        verdicts.append((event, cases[event.id].verdict))
    for case in cases.values():
        touched = changed.intersection(case.ids.bearing)
        if touched and _decide(case.reading, case.ids, known) != case.verdict:
            for subject in touched:
                known[subject].remember(case.event.id, now, MEMORY.dump_python((now, case.verdict), mode="json"))
    return verdicts


def _hear(
    event: EventValidated, reading: Reading, ids: Ids, known: Mapping[str, Known], now: datetime
) -> list[str]:
    if reading.signal.silent:
        return []
    changed = []
    provenance = _provenance(reading, now)
    for record in (known[i] for i in ids.speaking):
        subject = record.subject.heard(event.tenant, reading.signal, provenance)
        if subject is not record.subject:
            record.subject = subject
            record.touch()
            changed.append(subject.id)
    return changed


def _provenance(reading: Reading, now: datetime) -> Provenance:
    policy = reading.policy
    return Provenance(
        channel=channel_of(reading.signal),
        policy=policy.name if policy else "",
        policy_version=policy.version if policy else 0,
        jurisdiction=reading.place,
        recorded_at=now,
    )


def channel_of(signal: Signal) -> str:
    """The way a signal came: consent-event, consent-object, gpc; joined by + where it came by two."""
    spoken = signal.choices or signal.unreadable
    channels = ["consent-event" if signal.deliberate else "consent-object"] if spoken else []
    return "+".join([*channels, *(["gpc"] if signal.gpc else [])])


def _decide(reading: Reading, ids: Ids, known: Mapping[str, Known]) -> Verdict:
    return decide(reading, [known[i].subject.choices for i in ids.bearing])


def _remembered(event: EventValidated, ids: Ids, known: Mapping[str, Known], now: datetime) -> Verdict | None:
    """The verdict of the first time, if that was just now: a replay long after is decided by what stands then."""
    for record in (known[i] for i in ids.bearing):
        if record.seen(event.id):
            at, verdict = MEMORY.validate_python(record.outcome(event.id))
            return verdict if now - at <= REDELIVERY else None
    return None
