"""What the matcher keeps beside pairs, each a record of its own: persons, blocking keys and counters.

Persons hold what was told of them, for it has to be compared. Everything else is named by keyed hashes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Self

from cdp_runtime.records import Record, State

from cdp_identity.matching.blocking import CAP
from cdp_identity.matching.record import FINGERPRINT, MatchRecord, record_from

SETS: Final = ("keys", "terms", "shared", "pending", "apart", "absorbed")
MOST_PARTS: Final = 20
"""Identifiers of a person whose traits are compared; the traits of further ones are not kept."""
NOTED: Final = 3_600_000
"""Milliseconds after which a refusal is noted again of which nothing has to be dropped: not for every event."""


@dataclass(slots=True)
class Told:
    """What was told of a person under one identifier. `at` is when, `heard` when we received it, in epoch ms."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    region: str | None = None
    users: list[str] = field(default_factory=list)
    at: int = 0
    heard: int = 0

    def with_newer(self, other: Told) -> Told:
        """Both: where they differ the one told later stands; of a user every id is kept.

        A fingerprint is what the later one has, or none: it needs a consent of its own, which may have gone since.
        """
        old, new = (self, other) if self.at <= other.at else (other, self)
        users = sorted({*self.users, *other.users})
        heard = max(self.heard, other.heard)
        before = {name: texts for name, texts in old.fields.items() if name != FINGERPRINT}
        return Told({**before, **new.fields}, new.region or old.region, users, new.at, heard)


class Away(NamedTuple):
    """Whose an identifier is that was parted from a person. Of two, the greater counts."""

    version: int
    profile_id: str


class Entry(Record):
    """A person as known to the matcher: what was told of it, by the identifier that it was told under.

    `terms` are those that were looked at, `shared` those of them that are counted with another entry, because
    nobody had to be asked whether both are one person. `counted` is None until it was looked at. `parted` says
    whose identifiers are that were taken off this profile, `apart` from which profiles it was found to be another
    person, and `absorbed` which ones it has become. `refused` says, by identifier, when (epoch ms) its person's
    choice was last heard to be against it: nothing heard until then is compared.
    """

    schema_version = 3

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.tenant, _, self.profile_id = id.partition("/")
        self.told: dict[str, Told] = {}
        self.keys: set[str] = set()
        self.terms: set[str] = set()
        self.shared: set[str] = set()
        self.pending: set[str] = set()
        self.counted: bool | None = None
        self.into: str | None = None
        self.parted: dict[str, Away] = {}
        self.apart: set[str] = set()
        self.absorbed: set[str] = set()
        self.refused: dict[str, int] = {}

    @property
    def target(self) -> str | None:
        """The id of the entry that this one leads to."""
        return self.into

    def away(self, identifier: str) -> tuple[int, str] | None:
        """Where an identifier was last parted to, and with which version that began."""
        away = self.parted.get(identifier)
        return (away.version, f"{self.tenant}/{away.profile_id}") if away else None

    @property
    def targets(self) -> set[str]:
        """The ids of all entries that this one leads to, by a redirect or a parting."""
        away = {f"{self.tenant}/{away.profile_id}" for away in self.parted.values()}
        return away | {self.into} if self.into else away

    @property
    def names(self) -> set[str]:
        """The profiles that it is."""
        return {self.profile_id} | self.absorbed

    def note(self, identifiers: Iterable[str], away: Away) -> None:
        """Note whose these identifiers are, unless something newer is known."""
        for identifier in identifiers:
            self.parted[identifier] = max(away, self.parted.get(identifier, away))
        self.touch()

    def keep_apart(self, profiles: Iterable[str]) -> None:
        """Note from whom it was parted."""
        if not self.apart.issuperset(others := {*profiles} - {self.profile_id}):
            self.apart |= others
            self.touch()

    def is_apart(self, other: Entry) -> bool:
        """Whether both were found to be two people."""
        if not self.apart and not other.apart:
            return False
        return not (self.apart.isdisjoint(other.names) and other.apart.isdisjoint(self.names))

    def tell(self, part: str, told: Told) -> bool:
        """Note what was told; whether it has to be matched, because it is news or a match of it was broken off."""
        known = self.told.get(part)
        if told.heard <= self.refused.get(part, -1):
            return False
        if known is None and len(self.told) >= MOST_PARTS:
            return False
        both = known.with_newer(told) if known else told
        news = known is None or (both.fields, both.users) != (known.fields, known.users)
        if news:
            self.told[part] = both
            self.pending.add(part)
            self.touch()
        return part in self.pending

    def refuse(self, part: str, at: int) -> bool:
        """Note that nothing heard under an identifier until then is to be compared; whether any of it is held."""
        known = self.refused.get(part)
        if known is None or at > known + (0 if part in self.told else NOTED):
            self.refused[part] = at
            self.touch()
        return part in self.told and self.told[part].heard <= at

    def records(self) -> dict[str, MatchRecord]:
        """What was told in the form in which it is compared, by identifier."""
        return {
            part: record_from(f"{self.id}/{part}", told.fields, region=told.region, user_ids=told.users)
            for part, told in self.told.items()
        }

    def take(self, other: Entry) -> None:
        """Take in all that another person holds; safe twice."""
        for part, at in other.refused.items():
            self.refuse(part, at)
        self.receive(other, other.told, other.terms)
        self.counted = self.counted or other.counted
        for identifier, away in other.parted.items():
            self.note([identifier], away)
        self.apart |= other.apart
        self.absorbed |= other.names

    def receive(self, giver: Entry, parts: Collection[str], terms: set[str]) -> None:
        """Take in what another person was told under some identifiers, which has these terms; safe twice."""
        for part in parts:
            known, told = self.told.get(part), giver.told[part]
            self.told[part] = known.with_newer(told) if known else told
            if part in giver.refused:
                self.refuse(part, giver.refused[part])
        self.told = {part: told for part, told in self.told.items() if told.heard > self.refused.get(part, -1)}
        own = (self.terms - self.shared) | (giver.terms - giver.shared)
        self.terms |= terms
        self.shared = self.terms - own
        self.pending |= giver.pending.intersection(parts)
        self.pending &= self.told.keys()
        self.recent.absorb(giver.recent)
        self.touch()

    def let_go(self, parts: Collection[str], terms: set[str]) -> None:
        """Drop what others have taken."""
        self.told = {part: told for part, told in self.told.items() if part not in parts}
        self.terms, self.shared = self.terms - terms, self.shared - terms
        self.pending = self.pending.intersection(self.told)
        self.counted = self.counted if self.told else None
        self.touch()

    def lead_to(self, into: Entry) -> None:
        """Become a redirect, for ever. It keeps what it holds until that one has it."""
        self.into = into.id
        self.touch()

    def clear(self) -> None:
        """Drop what the one has that this redirect leads to. Under which keys it stands is not known here."""
        self.told, self.terms, self.shared, self.pending = {}, set(), set(), set()
        self.counted, self.apart, self.absorbed, self.refused = None, set(), set(), {}
        self.touch()

    @property
    def written_as(self) -> int:
        """What knows no refusals, or no partings either, may read an entry that has none."""
        if self.refused:
            return 3
        return 2 if self.parted or self.apart else 1

    @classmethod
    def from_state(cls, id: str, state: State) -> Self:  # noqa: A002
        """See Record."""
        entry = cls(id)
        heard = state.get("heard", {})
        entry.told = {p: Told(**told, heard=heard.get(p, told["at"])) for p, told in state["told"].items()}
        entry.keys, entry.terms = set(state["keys"]), set(state["terms"])
        entry.shared, entry.pending = set(state["shared"]), set(state["pending"])
        entry.counted, entry.into = state["counted"], state["into"]
        entry.parted = {identifier: Away(*away) for identifier, *away in state.get("parted", ())}
        entry.apart, entry.absorbed = set(state.get("apart", ())), set(state.get("absorbed", ()))
        entry.refused = dict(state.get("refused", {}))
        return entry

    def to_state(self) -> State:
        """See Record."""
        told = {
            part: {"fields": t.fields, "region": t.region, "users": t.users, "at": t.at}
            for part, t in self.told.items()
        }
        sets = {name: sorted(getattr(self, name)) for name in SETS}
        parted = [[identifier, *away] for identifier, away in sorted(self.parted.items())]
        return {
            "told": told, **sets, "counted": self.counted, "into": self.into, "parted": parted,
            "refused": self.refused, "heard": {part: t.heard for part, t in self.told.items()},
        }  # fmt: skip


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
