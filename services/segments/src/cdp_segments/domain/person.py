"""What the engine keeps of one person: one record, read and written at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID

from cdp_runtime.records import Record, State
from pydantic import JsonValue, TypeAdapter

from cdp_segments.domain import marks
from cdp_segments.domain.marks import Ring
from cdp_segments.domain.visits import Visits


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
    """

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
        self.rings: dict[str, Ring] = {}
        self.visits: dict[int, Visits] = {}
        self.ever: set[str] = set()
        self.facts: dict[str, Fact] = {}
        self.told: list[Told] = []
        self.fired: Fired | None = None

    @property
    def wake_at(self) -> int | None:
        """What the timer is set to: never later than when the clock has something to do or to tell again."""
        return self.fired.until if self.fired else self.next_deadline

    @property
    def target(self) -> str | None:
        """The id of the record that this one leads to."""
        return person_id(self.tenant, self.into) if self.into else None

    def trait(self, path: str) -> JsonValue:
        """The value of a trait; None if it is missing."""
        return self.facts.get(path, UNKNOWN).value

    def forget_state(self) -> None:
        """Let go of what a redirect needs no more."""
        self.rings, self.visits, self.ever, self.facts = {}, {}, set(), {}

    @property
    def holds_state(self) -> bool:
        """Whether there is anything that another record could take in."""
        return bool(self.rings or self.visits or self.ever or self.facts)

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
            "members": [{"segment": name, **member._asdict()} for name, member in sorted(self.members.items())],
            "rings": {key: marks.dump(ring) for key, ring in self.rings.items()},
            "visits": [_visits_state(gap, visits) for gap, visits in self.visits.items()],
            "ever": sorted(self.ever),
            "facts": FACTS.dump_json(self.facts).decode(),
            "told": [list(told) for told in self.told],
            "fired": list(self.fired) if self.fired else None,
        }

    @classmethod
    def from_state(cls, id: str, state: State) -> Person:  # noqa: A002
        """See Record."""
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
        person.rings = {key: marks.parse(ring) for key, ring in state["rings"].items()}
        person.visits = dict(_parse_visits(state["visits"]))
        person.ever = set(state["ever"])
        person.facts = FACTS.validate_json(state["facts"])
        person.told = [Told(*told) for told in state["told"]]
        person.fired = Fired(*state["fired"]) if state["fired"] else None
        return person


def _parse_member(state: dict[str, Any]) -> tuple[str, Member]:
    return state["segment"], Member(state["since"], state["expires_at"], state["version"])


def _visits_state(gap: int, visits: Visits) -> State:
    return {
        "gap": gap,
        "spans": marks.dump(visits.spans),
        "marks": {key: marks.dump(ring) for key, ring in visits.marks.items()},
        "horizon": visits.horizon,
    }


def _parse_visits(states: list[dict[str, Any]]) -> Iterator[tuple[int, Visits]]:
    for state in states:
        visits = Visits()
        visits.spans = marks.parse(state["spans"])
        visits.marks = {key: marks.parse(ring) for key, ring in state["marks"].items()}
        visits.horizon = state["horizon"]
        yield state["gap"], visits
