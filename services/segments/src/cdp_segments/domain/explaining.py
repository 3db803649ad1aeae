"""Why a person is in a segment or is not: the condition as a tree, with what was measured at each leaf."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from cdp_contracts.conditions_v1 import And, Condition, InSegment, Not, Or
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cdp_segments.domain.belonging import nobody
from cdp_segments.domain.catalog import Catalog
from cdp_segments.domain.leaves import CountLeaf, Leaf, leaf_of
from cdp_segments.domain.marks import EMPTY, Ring
from cdp_segments.domain.person import Person
from cdp_segments.domain.reasons import measure, telling_visit
from cdp_segments.domain.segments import Segment
from cdp_segments.domain.sessions import SessionLeaf
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.windows import FOREVER
from cdp_segments.domain.wording import counted, words

NEWEST: Final = 5
Kind = Literal[
    "and", "or", "not", "trait", "count", "aggregate", "ratio", "absence", "first", "last", "in_session",
    "in_segment", "bucket",
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
    of: tuple[Part, ...] = ()


class Explanation(BaseModel):
    """One person and one segment, as of `at`."""

    model_config = ConfigDict(frozen=True)

    segment: str
    title: str
    segment_version: int
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
    why: Part


def explain(segment: Segment, person: Person, catalog: Catalog, now: int) -> Explanation:
    """Everything that speaks for or against the membership at an instant."""
    segment = catalog.segments.get(segment.name, segment)
    member = person.members.get(segment.name)
    flip = segment.next_flip(person, now)
    return Explanation(
        segment=segment.name,
        title=segment.definition.title,
        segment_version=segment.definition.version,
        profile_id=UUID(person.profile_id),
        member=member is not None,
        satisfied=segment.truth(person, now),
        summary=_summary(segment, person, now, flip),
        since=moment_of(member.since) if member else None,
        expires_at=moment_of(flip) if member and flip is not None else None,
        version=person.version,
        evaluated_at=moment_of(person.evaluated_at),
        up_to_date=person.definitions == catalog.fingerprint,
        at=moment_of(now),
        why=_part(segment.definition.when, person, catalog, now),
    )


def _summary(segment: Segment, person: Person, now: int, flip: int | None) -> str:
    if segment.definition.state == "archived":
        return "nobody is in an archived segment"
    satisfied = segment.truth(person, now)
    if flip is None:
        return "in, until something happens" if satisfied else "not in, until something happens"
    word = "in, leaves" if satisfied else "not in, enters"
    telling = [leaf for leaf in segment.clocked if flip in instants_of(leaf, person)]
    if not all(isinstance(leaf, CountLeaf) for leaf in telling):
        return f"{word} at {moment_of(flip).isoformat()} if nothing happens before"
    rising = dict.fromkeys(counted(leaf.condition) for leaf in telling if isinstance(leaf, CountLeaf))
    return f"{word} at {moment_of(flip).isoformat()} unless {' or '.join(rising)} rises before"


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
    return Part(condition=words(condition), kind=kind, satisfied=satisfied, of=of)


def _leaf(leaf: Leaf, person: Person, now: int) -> Part:
    found = measure(leaf, person, now)
    return Part(
        condition=leaf.words,
        kind=leaf.condition.kind,
        satisfied=found.satisfied,
        value=found.value,
        threshold=found.threshold,
        note=found.note,
        newest=tuple(moment_of(at) for at, *_ in _contributing(leaf, person, now)[-NEWEST:]),
        changes_at=_changes_at(leaf, person, now),
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
        case _:
            return sorted({mark[:2] for ask in leaf.asks for mark in ask.held(person, now)})


def _changes_at(leaf: Leaf, person: Person, now: int) -> datetime | None:
    satisfied = measure(leaf, person, now).satisfied
    later = sorted(i for i in instants_of(leaf, person) if now < i < FOREVER)
    flip = next((i for i in later if measure(leaf, person, i).satisfied is not satisfied), None)
    return None if flip is None else moment_of(flip)


def instants_of(leaf: Leaf, person: Person) -> set[int]:
    """When the clock alone may change the truth of a leaf."""
    return {instant for ask in leaf.asks for instant in ask.instants(person)}
