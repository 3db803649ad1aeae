"""What the matcher keeps, each a record of its own: persons, blocking keys, counters and pairs.

Persons hold what was told of them, for it has to be compared. Everything else is named by keyed hashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Self, TypeAlias

from cdp_runtime.records import Record, State

from cdp_identity.matching.blocking import CAP
from cdp_identity.matching.record import MatchRecord, record_from

Status: TypeAlias = Literal["open", "same", "different"]

MOST_PARTS: Final = 20
"""Identifiers of a person whose traits are compared; the traits of further ones are not kept."""


@dataclass(slots=True)
class Told:
    """What was told of a person under one identifier. `at` is when, in epoch ms."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    region: str | None = None
    users: list[str] = field(default_factory=list)
    at: int = 0

    def with_newer(self, other: Told) -> Told:
        """Both: where they differ the one told later stands; of a user every id is kept."""
        old, new = (self, other) if self.at <= other.at else (other, self)
        users = sorted({*self.users, *other.users})
        return Told({**old.fields, **new.fields}, new.region or old.region, users, new.at)


class Entry(Record):
    """A person as known to the matcher: what was told of it, by the identifier that it was told under.

    `terms` are those that were looked at, `shared` those of them that are counted with another entry, because
    nobody had to be asked whether both are one person. `counted` is None until it was looked at.
    """

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.told: dict[str, Told] = {}
        self.keys: set[str] = set()
        self.terms: set[str] = set()
        self.shared: set[str] = set()
        self.pending: set[str] = set()
        self.counted: bool | None = None
        self.into: str | None = None

    def tell(self, part: str, told: Told) -> bool:
        """Note what was told; whether it has to be matched, because it is news or a match of it was broken off."""
        known = self.told.get(part)
        if known is None and len(self.told) >= MOST_PARTS:
            return False
        both = known.with_newer(told) if known else told
        news = known is None or (both.fields, both.users) != (known.fields, known.users)
        if news:
            self.told[part] = both
            self.pending.add(part)
            self.touch()
        return part in self.pending

    def records(self) -> dict[str, MatchRecord]:
        """What was told in the form in which it is compared, by identifier."""
        return {
            part: record_from(f"{self.id}/{part}", told.fields, region=told.region, user_ids=told.users)
            for part, told in self.told.items()
        }

    def take(self, other: Entry) -> None:
        """Take in all that another person holds; safe twice."""
        for part, told in other.told.items():
            known = self.told.get(part)
            self.told[part] = known.with_newer(told) if known else told
        self.keys |= other.keys
        own = (self.terms - self.shared) | (other.terms - other.shared)
        self.terms |= other.terms
        self.shared = self.terms - own
        self.pending |= other.pending
        self.counted = self.counted or other.counted
        self.touch()

    def give_way(self, into: str) -> None:
        """Become a redirect, for ever."""
        self.told, self.keys, self.terms, self.shared, self.pending = {}, set(), set(), set(), set()
        self.counted, self.into = None, into
        self.touch()

    @classmethod
    def from_state(cls, id: str, state: State) -> Self:  # noqa: A002
        """See Record."""
        entry = cls(id)
        entry.told = {part: Told(**told) for part, told in state["told"].items()}
        entry.keys, entry.terms = set(state["keys"]), set(state["terms"])
        entry.shared, entry.pending = set(state["shared"]), set(state["pending"])
        entry.counted, entry.into = state["counted"], state["into"]
        return entry

    def to_state(self) -> State:
        """See Record."""
        told = {
            part: {"fields": t.fields, "region": t.region, "users": t.users, "at": t.at}
            for part, t in self.told.items()
        }
        sets = {name: sorted(getattr(self, name)) for name in ("keys", "terms", "shared", "pending")}
        return {"told": told, **sets, "counted": self.counted, "into": self.into}


class Block(Record):
    """The persons who share a blocking key. One that has more than the cap says nothing: `over` for ever."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.members: list[str] = []
        self.over = False

    def add(self, person: str) -> bool:
        """Add a person; whether that was one too many."""
        if self.over or person in self.members:
            return False
        self.members.append(person)
        self.touch()
        if len(self.members) <= CAP:
            return False
        self.members, self.over = [], True
        return True

    def discard(self, person: str) -> None:
        """Take a person out."""
        if person in self.members:
            self.members.remove(person)
            self.touch()

    @classmethod
    def from_state(cls, id: str, state: State) -> Self:  # noqa: A002
        """See Record."""
        block = cls(id)
        block.members, block.over = list(state["members"]), state["over"]
        return block

    def to_state(self) -> State:
        """See Record."""
        return {"members": self.members, "over": self.over}


class Counter(Record):
    """Numbers that every message adds to once: how many people bear a term, how many there are."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.numbers: dict[str, int] = {}

    def add(self, message: object, now: datetime, **numbers: int) -> None:
        """Add what a message counts, unless it has been added."""
        if self.seen(str(message)):
            return
        for name, number in numbers.items():
            self.numbers[name] = self.numbers.get(name, 0) + number
        self.remember(str(message), now)

    @classmethod
    def from_state(cls, id: str, state: State) -> Self:  # noqa: A002
        """See Record."""
        counter = cls(id)
        counter.numbers = dict(state["numbers"])
        return counter

    def to_state(self) -> State:
        """See Record."""
        return {"numbers": self.numbers}


class Pair(Record):
    """Two persons who may be one: what was proposed, and what was decided."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.status: Status | None = None
        self.proposal: dict[str, Any] = {}
        self.by = ""
        self.decided_at = 0

    @property
    def tenant(self) -> str:
        """Whose persons they are."""
        return self.id.split("/", 1)[0]

    def is_news(self, band: str) -> bool:
        """Whether to say so: not if a verdict was given, and again only if nobody has to be asked any more."""
        return self.status is None or (self.status == "open" and band == "auto" != self.proposal.get("band"))

    def propose(self, message: object, now: datetime, proposal: dict[str, Any]) -> None:
        """Keep what was proposed; a message's proposal once."""
        if not self.seen(str(message)):
            if self.status in {None, "open"}:
                self.status, self.proposal = "open", proposal
            self.remember(str(message), now)

    def decide(self, message: object, now: datetime, verdict: Status, by: str, at: int) -> None:
        """Keep a verdict; of two the later one, and a person's rather than the matcher's. Safe twice."""
        if self.seen(str(message)):
            return
        rank = (by != MATCHER, at)
        if self.status in {None, "open"} or rank >= (self.by != MATCHER, self.decided_at):
            self.status, self.by, self.decided_at = verdict, by, at
        self.remember(str(message), now)

    @classmethod
    def from_state(cls, id: str, state: State) -> Self:  # noqa: A002
        """See Record."""
        pair = cls(id)
        pair.status, pair.proposal = state["status"], dict(state["proposal"])
        pair.by, pair.decided_at = state["by"], state["decided_at"]
        return pair

    def to_state(self) -> State:
        """See Record."""
        score = self.proposal.get("score", 0.0)
        return {
            "tenant": self.tenant, "status": self.status, "score": score, "proposal": self.proposal,
            "by": self.by, "decided_at": self.decided_at,
        }  # fmt: skip


MATCHER: Final = "matcher"


def pair_id(tenant: str, one: str, other: str) -> str:
    """The one id of two persons, whichever is named first."""
    first, second = sorted((one, other))
    return f"{tenant}/{first}.{second}"
