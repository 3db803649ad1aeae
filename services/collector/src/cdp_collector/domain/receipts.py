"""A receipt: what became of one event, as far as the platform has said so.

What is known is kept as a map of short texts, and each fact adds entries to it. Every text begins with a time or a
version of fixed width; of two texts in one field the greater stays. So a receipt is a join: facts may come in any
order and any number of times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from cdp_contracts.topics import EVENTS_RESOLVED
from pydantic import BaseModel, ConfigDict, Field

from cdp_collector.domain.facts import Fact, Merged, Moved, Rejected, Resolved, SetAside, Unmerged, Withheld
from cdp_collector.domain.sightings import MOST_COPIES
from cdp_collector.domain.texts import Entry, instant, stamp
from cdp_collector.domain.trails import Trail, short, signposts

ACCEPTED: Final = "a"
REJECTED: Final = "x"
WITHHELD: Final = "w"
RESOLVED: Final = "r"
SEGMENT: Final = "s:"
LETTER: Final = "d:"
BY_AN_EVENT: Final = ("event", "merge")
EVENTS: Final = "cdp.events."
NO_TRACE: Final = "-"

Outcome = Literal["in-flight", "rejected", "withheld", "resolved", "dead-lettered"]


def entries(fact: Fact | SetAside, trace: str) -> Iterator[Entry]:
    """What a fact adds. Timers and new definitions move people too, but no event did."""
    match fact:
        case Merged() | Unmerged():
            yield from signposts(fact)
        case Moved():
            for change in fact.changes:
                if change.cause in BY_AN_EVENT:
                    text = (
                        f"{fact.version:013d} {change.segment_version} {change.member:d} {change.cause} "
                        f"{stamp(change.effective_at)}"
                    )
                    yield _of(fact, SEGMENT + change.segment, text)
        case SetAside(message_id=""):
            return
        case SetAside():
            said = f"{stamp(fact.failed_at)} {fact.stage} {fact.place} {fact.reason}"
            yield _of(fact, f"{LETTER}{fact.service} {fact.topic}", said)
        case Rejected() | Withheld() | Resolved():
            at = stamp(fact.received_at)
            yield _of(fact, ACCEPTED, f"{at} {trace or NO_TRACE} {fact.source}")
            yield _of(fact, *_exit(fact, at))


def _exit(fact: Rejected | Withheld | Resolved, at: str) -> tuple[str, str]:
    match fact:
        case Rejected():
            return REJECTED, f"{at} {json.dumps([fact.rule, fact.pointer, fact.expected, fact.got])}"
        case Withheld():
            return WITHHELD, f"{at} {json.dumps([fact.reason, *fact.purposes])}"
        case _:
            return RESOLVED, f"{at} {fact.profile_id} {short(fact.part)}"


def _of(fact: Fact | SetAside, name: str, text: str) -> Entry:
    return Entry("receipt", fact.tenant, fact.message_id, name, text)


class Part(BaseModel):
    """A part of the answer."""

    model_config = ConfigDict(frozen=True)


class Acceptance(Part):
    """It stands in the log."""

    received_at: datetime | None = Field(description="our clock at the edge; null until the event has come out")
    source: str | None = Field(description="which source sent it; null until the event has come out")
    place: str | None = Field(
        description="partition and offset of the first copy in events.received, if still known"
    )


class Duplicates(Part):
    """Copies that were sent, of which nothing follows."""

    count: int = Field(description=f"how many; {MOST_COPIES} means that many or more")
    of: str = Field(description="partition and offset of the first copy")


class Rejection(Part):
    """The sender's mistake: the newest, where several tries were rejected."""

    rule: str
    pointer: str = Field(description="JSON pointer into the event")
    expected: str
    got: str = Field(description="the JSON type that was found")
    received_at: datetime


class Withholding(Part):
    """The person's choice."""

    purposes: tuple[str, ...] = Field(description="the purposes that were missing")
    reason: str


class Resolution(Part):
    """Whose it is."""

    profile_id: str = Field(description="the profile that it was attributed to")
    merged_into: str | None = Field(
        default=None, description="whose it is by now, if that profile has become part of another since"
    )
    unmerged_to: str | None = Field(
        default=None, description="whose it is by now, if that profile was found to be several people since"
    )
    unmerged_at: datetime | None = Field(default=None, description="when that was found, the newest time")


class Move(Part):
    """A segment that the event made its person enter or leave."""

    segment: str
    segment_version: int
    entered: bool = Field(description="false: left")
    cause: Literal["event", "merge"]
    version: int = Field(description="of the membership message")
    effective_at: datetime


class Letter(Part):
    """Where it was set aside as a dead letter, the newest time."""

    topic: str
    service: str
    stage: str
    reason: str
    failed_at: datetime
    place: str = Field(description="partition and offset in the topic that the service read")


class Receipt(Part):
    """What became of an event."""

    message_id: str
    outcome: Outcome
    accepted: Acceptance
    duplicates: Duplicates | None = None
    rejected: Rejection | None = None
    withheld: Withholding | None = None
    resolved: Resolution | None = None
    segments: tuple[Move, ...] = ()
    dead_letters: tuple[Letter, ...] = ()
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """All that is kept about a message id: the texts of its receipt, its first place, and its copies."""

    texts: Mapping[str, str] = field(default_factory=dict)
    place: str | None = None
    copies: Mapping[str, str] = field(default_factory=dict)

    @property
    def profile(self) -> str | None:
        """The profile that it was attributed to."""
        said = self.texts.get(RESOLVED)
        return said.split(" ")[1] if said else None

    @property
    def trail(self) -> Trail | None:
        """Where to begin asking whose it is by now; None if it never was anybody's."""
        _, profile, part = f"{self.texts.get(RESOLVED, '')}  ".split(" ")[:3]
        return Trail(profile, part) if profile else None

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self.texts or self.place or self.copies)


def receipt_of(message_id: str, known: Known, owner: Trail | None) -> Receipt:
    """The receipt, of whatever is known; `owner` is the end of its trail."""
    at, trace, source = (known.texts.get(ACCEPTED) or "  ").split(" ", 2)
    first = next(iter(sorted(known.copies.values())), known.place)
    letters = tuple(_letter(name, text) for name, text in sorted(known.texts.items()) if name.startswith(LETTER))
    return Receipt(
        message_id=message_id,
        outcome=_outcome(known, letters),
        accepted=Acceptance(
            received_at=instant(at) if at else None, source=source or None, place=known.place or first
        ),
        duplicates=Duplicates(count=len(known.copies), of=first) if known.copies and first else None,
        rejected=_rejection(known.texts.get(REJECTED)),
        withheld=_withholding(known.texts.get(WITHHELD)),
        resolved=_resolution(known.profile, owner) if known.profile else None,
        segments=tuple(
            _move(name, text) for name, text in sorted(known.texts.items()) if name.startswith(SEGMENT)
        ),
        dead_letters=letters,
        trace_id=trace if trace not in ("", NO_TRACE) else None,
    )


def _outcome(known: Known, letters: tuple[Letter, ...]) -> Outcome:
    """Where it is now. A letter from before the person was known does not stand once it is: it was replayed."""
    if known.profile:
        return "resolved" if all(map(_from_before_the_person, letters)) else "dead-lettered"
    if WITHHELD in known.texts:
        return "withheld"
    if letters:
        return "dead-lettered"
    return "rejected" if REJECTED in known.texts and not known.place else "in-flight"


def _from_before_the_person(letter: Letter) -> bool:
    return letter.topic.startswith(EVENTS) and not letter.topic.startswith(EVENTS_RESOLVED.name)


def _resolution(profile: str, owner: Trail | None) -> Resolution:
    if owner is None or owner.profile == profile:
        return Resolution(profile_id=profile)
    if not owner.parted_at:
        return Resolution(profile_id=profile, merged_into=owner.profile)
    return Resolution(profile_id=profile, unmerged_to=owner.profile, unmerged_at=instant(owner.parted_at))


def _rejection(said: str | None) -> Rejection | None:
    if said is None:
        return None
    at, _, rest = said.partition(" ")
    rule, pointer, expected, got = json.loads(rest)
    return Rejection(rule=rule, pointer=pointer, expected=expected, got=got, received_at=instant(at))


def _withholding(said: str | None) -> Withholding | None:
    if said is None:
        return None
    reason, *purposes = json.loads(said.partition(" ")[2])
    return Withholding(purposes=tuple(purposes), reason=reason)


def _move(name: str, said: str) -> Move:
    version, segment_version, member, cause, at = said.split(" ")
    return Move(
        segment=name.removeprefix(SEGMENT),
        segment_version=int(segment_version),
        entered=member == "1",
        cause="merge" if cause == "merge" else "event",
        version=int(version),
        effective_at=instant(at),
    )


def _letter(name: str, said: str) -> Letter:
    service, _, topic = name.removeprefix(LETTER).partition(" ")
    at, stage, place, reason = said.split(" ", 3)
    return Letter(topic=topic, service=service, stage=stage, reason=reason, failed_at=instant(at), place=place)
