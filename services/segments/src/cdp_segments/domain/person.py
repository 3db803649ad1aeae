"""What the engine keeps of one person: one record, read and written at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from cdp_runtime.records import Record, State
from pydantic import JsonValue, TypeAdapter

from cdp_segments.domain.computed import Computed
from cdp_segments.domain.draws import draw
from cdp_segments.domain.marks import Found
from cdp_segments.domain.shares import Share, parse_shares, shares_state
from cdp_segments.domain.words import Word


class Member(NamedTuple):
    """A membership: since when and when it ends by itself (milliseconds), and by which version."""

    since: int
    expires_at: int | None
    version: int


class Fact(NamedTuple):
    """A trait's value and the profile's revision that brought it."""

    value: JsonValue
    revision: int


class Told(NamedTuple):
    """A message, as JSON, that may not be acknowledged yet, and where what brought it about stands."""

    cause: str
    partition: int
    offset: int
    version: int
    message: str


class Fired(NamedTuple):
    """A message, as JSON, that the clock brought about and that is not acknowledged yet."""

    until: int
    version: int
    message: str


class Away(NamedTuple):
    """Whose an identifier is that was parted from a profile. Of two, the greater counts."""

    version: int
    profile_id: str


class Latch(NamedTuple):
    """What a visit fulfilled that is forgotten by now, and the identifiers that had a part in that visit."""

    leaf: str
    parts: frozenset[str]


UNKNOWN: Final = Fact(None, 0)
FACTS: Final[TypeAdapter[dict[str, Fact]]] = TypeAdapter(dict[str, Fact])


def person_id(tenant: str, profile_id: UUID | str) -> str:
    """The id of a person's record: a tenant can name no other tenant's."""
    return f"{tenant}/{profile_id}"


class Person(Record):
    """The state of every leaf, the memberships, and what has been told of them.

    `definitions` is the fingerprint of the definitions it was evaluated with, empty for somebody new.
    `evaluated_at` never falls. `next_deadline` is never later than the first flip that the clock will bring.
    `partition` is where the person's messages come from, so the owner of their timer. `into` is set once the
    person has become part of another: then nothing else counts any more.

    `found` is at hand for as long as the record is: where sequences ended, by leaf.

    `joint` is what conditions are held against: all `shares` together, by the identifier that attributed the
    events ("" for those of which that is not known). Of somebody with one share it is that share. `latches` are
    what `joint` owes to visits that it has forgotten. `parted` says whose identifiers are that were taken off this
    profile, and `leaving` are their shares until those have them; so are all shares of a redirect. `former` are
    those of whom they once were: they may have something to tell again. `handed` are the identifiers of shares
    that were taken out of this record since it was loaded. `moved` are the selectors of which marks came or went
    since, as long as computed traits do not know of it.
    """

    schema_version = 4

    def __init__(self, id: str) -> None:  # noqa: A002  # as the record names it
        super().__init__(id)
        self.tenant, _, self.profile_id = id.partition("/")
        self.partition: int | None = None
        self.into: str | None = None
        self.definitions = ""
        self.evaluated_at = 0
        self.next_deadline: int | None = None
        self.version = 0
        self.members: dict[str, Member] = {}
        self.joint = Share()
        self.shares: dict[str, Share] = {}
        self.latches: set[Latch] = set()
        self.parted: dict[str, Away] = {}
        self.former: set[str] = set()
        self.leaving: dict[str, Share] = {}
        self.handed: set[str] = set()
        self.facts: dict[str, Fact] = {}
        self.told: list[Told] = []
        self.fired: Fired | None = None
        self.computed = Computed()
        self.moved: set[str] = set()

    @property
    def joint(self) -> Share:
        """All that counts. What is in it is at hand by itself: each segment that is held against asks for it."""
        return self._joint

    @joint.setter
    def joint(self, share: Share) -> None:
        self._joint = share
        self.rings, self.visits, self.ever = share.rings, share.visits, share.ever
        self.found: dict[str, Found] = {}

    @property
    def wake_at(self) -> int | None:
        """What the timer is set to: never later than when the clock has something to do or to tell again."""
        instants = (self.fired.until if self.fired else self.next_deadline, self.computed.wake_at)
        return min((instant for instant in instants if instant is not None), default=None)

    @property
    def target(self) -> str | None:
        """The id of the record that this one leads to."""
        return person_id(self.tenant, self.into) if self.into else None

    @property
    def targets(self) -> set[str]:
        """The ids of all records that this one leads or led to, as a redirect or because it was parted."""
        away = {*(away.profile_id for away in self.parted.values()), *self.former}
        return {person_id(self.tenant, profile_id) for profile_id in (away | {self.into} if self.into else away)}

    def away(self, identifier: str) -> tuple[int, str] | None:
        """Where an identifier was last parted to, and with which version that began."""
        away = self.parted.get(identifier)
        return (away.version, person_id(self.tenant, away.profile_id)) if away else None

    def trait(self, path: str) -> JsonValue:
        """The value of a trait; None if it is missing."""
        return self.facts.get(path, UNKNOWN).value

    def words(self, selector: str) -> dict[float, Word]:
        """The values that the numbers in marks of a selector stand for."""
        return self.joint.words.get(selector, {})

    def share(self, part: str) -> Share:
        """The share of an identifier, from now on if there was none. The first one is the joint one."""
        if part not in self.shares:
            if len(self.shares) == 1:
                self.latches |= self.own_latches()
                self.joint = self.joint.copy()
            self.shares[part] = Share() if self.shares else self.joint
        return self.shares[part]

    def own_latches(self) -> set[Latch]:
        """What somebody with one share keeps of that once it is one of several."""
        parts = frozenset(self.shares)
        return {Latch(leaf, parts) for leaf in self.ever} if len(parts) == 1 else set()

    def note(self, partings: Iterable[tuple[str, Away]]) -> None:
        """Note whose identifiers are, unless something newer is known."""
        for part, away in [*partings]:
            known = self.parted.get(part)
            if known == away:
                continue
            self.parted[part] = max(away, known or away)
            if known:
                self.former.add(min(away, known).profile_id)
            self.touch()

    @property
    def outgoing(self) -> set[str]:
        """The identifiers of the shares that are for other records to take."""
        return self.leaving.keys() | self.shares.keys() if self.into else set(self.leaving)

    def let_go(self) -> None:
        """Let go of the shares that others have by now."""
        self.leaving = {part: share for part, share in self.leaving.items() if part not in self.handed}
        if self.into:
            self.shares = {part: share for part, share in self.shares.items() if part not in self.handed}
            self.joint = Share()
        self.latches = {
            latch for latch in self.latches if latch.parts & (self.shares.keys() | self.leaving.keys())
        }
        self.handed = set()
        self.touch()

    @property
    def holds_state(self) -> bool:
        """Whether anything counts, or waits to be taken by another record."""
        return bool(self.shares or self.leaving or self.facts)

    @property
    def written_as(self) -> int:
        """What knows no computed traits, values or partings may read a record that has none: it would begin their
        versions anew, let go of the values and take all shares for one.
        """
        if self.computed.version:
            return 4
        if any(share.valued for share in (self.joint, *self.shares.values(), *self.leaving.values())):
            return 3
        return 2 if self.parted or self.leaving else 1

    def to_state(self) -> State:
        """See Record. `members` and `wake_at` are there to be looked up by."""
        return {
            "tenant": self.tenant,
            "partition": self.partition,
            "into": self.into,
            "definitions": self.definitions,
            "evaluated_at": self.evaluated_at,
            "next_deadline": self.next_deadline,
            "wake_at": self.wake_at,
            "version": self.version,
            "draw": None if self.into else draw(self.profile_id),
            "members": [{"segment": name, **member._asdict()} for name, member in sorted(self.members.items())],
            **self.joint.to_state(),
            **self._shares_state(),
            "facts": FACTS.dump_json(self.facts).decode(),
            "told": [list(told) for told in self.told],
            "fired": list(self.fired) if self.fired else None,
            **self.computed.to_state(),
        }

    def _shares_state(self) -> State:
        """The state by identifier, as far as there is any."""
        state: State = {}
        if len(self.shares) == 1 and "" not in self.shares:
            (state["part"],) = self.shares
        if len(self.shares) > 1:
            state["shares"] = shares_state(self.shares)
        if self.latches:
            state["latches"] = sorted([leaf, *sorted(parts)] for leaf, parts in self.latches)
        if self.parted:
            state["parted"] = [[part, *away] for part, away in sorted(self.parted.items())]
        if self.former:
            state["former"] = sorted(self.former)
        if self.leaving:
            state["leaving"] = shares_state(self.leaving)
        return state

    @classmethod
    def from_state(cls, id: str, state: State) -> Person:  # noqa: A002
        """See Record. What was written without shares is one of an identifier that is not known."""
        person = cls(id)
        person.partition = state["partition"]
        person.into = state["into"]
        person.definitions = state["definitions"]
        person.evaluated_at = state["evaluated_at"]
        person.next_deadline = state["next_deadline"]
        person.version = state["version"]
        person.members = {
            m["segment"]: Member(m["since"], m["expires_at"], m["version"]) for m in state["members"]
        }
        person.joint = Share.from_state(state)
        person.shares = parse_shares(state.get("shares", ()))
        if person.joint and not person.shares:
            person.shares = {state.get("part", ""): person.joint}
        person.latches = {Latch(leaf, frozenset(parts)) for leaf, *parts in state.get("latches", ())}
        person.parted = {part: Away(*away) for part, *away in state.get("parted", ())}
        person.former = set(state.get("former", ()))
        person.leaving = parse_shares(state.get("leaving", ()))
        person.facts = FACTS.validate_json(state["facts"])
        person.told = [Told(*told) for told in state["told"]]
        person.fired = Fired(*state["fired"]) if state["fired"] else None
        person.computed = Computed.from_state(state)
        return person
