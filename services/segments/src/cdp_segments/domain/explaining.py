"""Why a person is in a segment or is not: the condition as a tree, with what was measured at each leaf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from cdp_contracts.conditions_v1 import And, Condition, InSegment, Not, Or
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cdp_segments.domain.belonging import nobody
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.dwelling import DwellLeaf
from cdp_segments.domain.leaves import CountLeaf, Leaf, instants_of, leaf_of
from cdp_segments.domain.marks import EMPTY, Ring
from cdp_segments.domain.person import Person
from cdp_segments.domain.reasons import measure, telling_visit
from cdp_segments.domain.remedies import Remedies, Remedy, by_the_clock, fewest, in_words, together
from cdp_segments.domain.segments import Segment
from cdp_segments.domain.sequences import SequenceLeaf
from cdp_segments.domain.sessions import SessionLeaf
from cdp_segments.domain.statuses import Come, Status
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.windows import FOREVER
from cdp_segments.domain.wording import counted, words

NEWEST: Final = 5
NOBODY_IS_IN: Final[dict[Status, str]] = {
    "draft": "nobody is in a draft",
    "paused": "nobody is in it: it was paused before it was in force",
    "archived": "nobody is in an archived segment",
}
Kind = Literal[
    "and", "or", "not", "trait", "dwell", "count", "aggregate", "ratio", "sequence", "absence", "first", "last",
    "in_session", "in_segment", "bucket",
]  # fmt: skip


class Part(BaseModel):
    """One condition of the tree."""

    model_config = ConfigDict(frozen=True)

    condition: str = Field(description="in words")
    kind: Kind
    satisfied: bool
    value: JsonValue = Field(
        default=None, description="a count, up to n + 1 for that many or more; never a trait's value"
    )
    threshold: JsonValue = None
    note: str | None = Field(default=None, description="what the measure leaves out, if anything")
    newest: tuple[datetime, ...] = Field(default=(), description="when the newest contributing events happened")
    changes_at: datetime | None = Field(default=None, description="when this changes if nothing happens")
    flips_if: tuple[Remedy, ...] = Field(
        default=(), description="the smallest changes, all of them needed, that would flip this part"
    )
    of: tuple[Part, ...] = ()


class Explanation(BaseModel):
    """One person and one segment, as of `at`."""

    model_config = ConfigDict(frozen=True)

    segment: str
    title: str
    segment_version: int = Field(description="in force, if one is; else wanted")
    status: Status = Field(description="how far the segment has come")
    profile_id: UUID = Field(description="the survivor's if the profile asked for was absorbed")
    member: bool = Field(description="as told in the last membership message")
    satisfied: bool = Field(description="what the condition says at this moment")
    summary: str
    since: datetime | None
    expires_at: datetime | None = Field(description="when the membership ends if nothing happens")
    version: int = Field(description="of the last membership message about this profile")
    evaluated_at: datetime = Field(description="the instant up to which memberships were last brought up to date")
    up_to_date: bool = Field(description="false until the person is held against definitions that changed since")
    at: datetime
    would_enter_if: tuple[Remedy, ...] | None = Field(
        description="the smallest changes, all of them needed, by which the condition would hold; null if it does,"
        " or if `why` is null"
    )
    why: Part | None = Field(
        description="null while the segment is counted for the first time, a draft, or archived: nobody is in it"
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the condition in force says of somebody; nothing where none is whose events are counted."""

    summary: str
    satisfied: bool = False
    flip: int | None = None
    why: Part | None = None


def explain(come: Come, person: Person, catalog: Catalog, now: int) -> Explanation:
    """Everything that speaks for or against the membership at an instant, by the version in force."""
    segment, member = come.serving or come.wanted, person.members.get(come.wanted.name)
    found = _verdict(come, person, catalog, now)
    return Explanation(
        segment=segment.name,
        title=segment.definition.title,
        segment_version=segment.definition.version,
        status=come.status,
        profile_id=UUID(person.profile_id),
        member=member is not None,
        satisfied=found.satisfied,
        summary=found.summary,
        since=moment_of(member.since) if member else None,
        expires_at=moment_of(found.flip) if member and found.flip is not None else None,
        version=person.version,
        evaluated_at=moment_of(person.evaluated_at),
        up_to_date=person.definitions == catalog.fingerprint,
        at=moment_of(now),
        would_enter_if=None if found.satisfied or found.why is None else found.why.flips_if,
        why=found.why,
    )


def _verdict(come: Come, person: Person, catalog: Catalog, now: int) -> Verdict:
    if come.serving is None:
        counted = f"nobody is in it yet: {come.percent} % of what happened before is counted"
        return Verdict(counted if come.status == "counting" else NOBODY_IS_IN[come.status])
    segment = catalog.segments.get(come.serving.name, come.serving)
    why = _part(segment.definition.when, person, catalog, now)
    satisfied = segment.truth(person, now)
    if segment.name in catalog.paused:
        way = "in" if segment.name in person.members else "not in"
        return Verdict(f"{way}, and nobody enters or leaves while it is paused", satisfied, None, why)
    flip = segment.next_flip(person, now)
    return Verdict(_summary(segment, person, now, flip, why), satisfied, flip, why)


def _summary(segment: Segment, person: Person, now: int, flip: int | None, why: Part) -> str:
    satisfied = segment.truth(person, now)
    if flip is None:
        return "in, until something happens" if satisfied else _would_enter(why.flips_if)
    word = "in, leaves" if satisfied else "not in, enters"
    telling = [leaf for leaf in segment.clocked if flip in instants_of(leaf, person)]
    if not all(isinstance(leaf, CountLeaf) for leaf in telling):
        return f"{word} at {moment_of(flip).isoformat()} if nothing happens before"
    rising = dict.fromkeys(counted(leaf.condition) for leaf in telling if isinstance(leaf, CountLeaf))
    return f"{word} at {moment_of(flip).isoformat()} unless {' or '.join(rising)} rises before"


def _would_enter(flips: Remedies) -> str:
    if any(each.kind == "never" for each in flips):
        return "not in, and nothing can change that by itself"
    return f"not in, would enter if {in_words(flips)}"


def _part(condition: Condition, person: Person, catalog: Catalog, now: int) -> Part:
    match condition:
        case And(of=parts):
            inner = tuple(_part(part, person, catalog, now) for part in parts)
            return _group(condition, "and", inner, satisfied=all(part.satisfied for part in inner))
        case Or(of=parts):
            inner = tuple(_part(part, person, catalog, now) for part in parts)
            return _group(condition, "or", inner, satisfied=any(part.satisfied for part in inner))
        case Not(of=part):
            inner = (_part(part, person, catalog, now),)
            return _group(condition, "not", inner, satisfied=not inner[0].satisfied)
        case InSegment(segment=name):
            segment = catalog.segments.get(name)
            if segment is None or segment.truth is nobody:
                return _group(condition, "in_segment", (), satisfied=False)
            inner = (_part(segment.definition.when, person, catalog, now),)
            return _group(condition, "in_segment", inner, satisfied=segment.truth(person, now))
        case _:
            return _leaf(leaf_of(condition), person, now)


def _group(condition: Condition, kind: Kind, of: tuple[Part, ...], *, satisfied: bool) -> Part:
    flips = flips_of(kind, of, satisfied=satisfied)
    return Part(condition=words(condition), kind=kind, satisfied=satisfied, of=of, flips_if=flips)


def flips_of(kind: Kind, of: Sequence[Part], *, satisfied: bool) -> Remedies:
    """What flips a group: all parts that stand in the way, or the one that costs the least."""
    if kind == ("or" if satisfied else "and"):
        return together(part.flips_if for part in of if part.satisfied is satisfied)
    return fewest(part.flips_if for part in of)


def _leaf(leaf: Leaf, person: Person, now: int) -> Part:
    found = measure(leaf, person, now)
    changes_at = _changes_at(leaf, person, now)
    return Part(
        condition=leaf.words,
        kind=leaf.condition.kind,
        satisfied=found.satisfied,
        value=found.value,
        threshold=found.threshold,
        note=found.note,
        newest=tuple(moment_of(at) for at, *_ in _contributing(leaf, person, now)[-NEWEST:]),
        changes_at=None if changes_at is None else moment_of(changes_at),
        flips_if=(leaf.lacks(person, now) or by_the_clock(changes_at, "if nothing happens"),),
    )


def _contributing(leaf: Leaf, person: Person, now: int) -> Ring:
    match leaf:
        case SessionLeaf(tests=tests, gap=gap):
            span = telling_visit(leaf, person)
            if span is None:
                return EMPTY
            marks = person.visits[gap].marks
            rings = (marks.get(key, EMPTY) for key in {test.selector.key for test in tests})
            return sorted({mark[:2] for ring in rings for mark in ring if span[0] <= mark[0] <= span[1]})
        case SequenceLeaf():
            return leaf.held(person, now)
        case DwellLeaf():
            return leaf.since(person)
        case _:
            return sorted({mark[:2] for ask in leaf.asks for mark in ask.held(person, now)})


def _changes_at(leaf: Leaf, person: Person, now: int) -> int | None:
    satisfied = measure(leaf, person, now).satisfied
    later = sorted(i for i in instants_of(leaf, person) if now < i < FOREVER)
    return next((i for i in later if measure(leaf, person, i).satisfied is not satisfied), None)
