"""The record of one person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from cdp_runtime.records import Record, State
from pydantic import JsonValue, TypeAdapter

from cdp_profiles.domain.computed import Computation, computation_state, parse_computation
from cdp_profiles.domain.parts import (
    ENCODER,
    Identifier,
    Joined,
    Part,
    PartKey,
    Parts,
    Trait,
    changed_traits,
    differing_traits,
    join,
    size_of,
)
from cdp_profiles.domain.state import parts_of, state_of


class Outcome(NamedTuple):
    """What is remembered of an applied message, because it cannot be rebuilt from the message.

    `home` is the profile it was applied to, where that is another one; `part`, `era` and `counter` say where
    an event was counted.
    """

    revision: int
    traits: list[str]
    part: str | None = None
    counter: str | None = None
    home: str | None = None
    era: int = 0

    def dump(self) -> str:
        """As a record remembers it: one short text, for a record holds many."""
        return ENCODER.encode(self)

    @classmethod
    def parse(cls, remembered: JsonValue) -> Outcome:
        """The inverse of `dump`."""
        return OUTCOME.validate_json(str(remembered))


OUTCOME: Final = TypeAdapter(Outcome)


class Away(NamedTuple):
    """Whose an identifier is that was parted from a profile. Of two, the greater counts."""

    version: int
    profile_id: str


def record_id(tenant: str, profile_id: UUID | str) -> str:
    """The id of a person's record: a tenant can name no other tenant's."""
    return f"{tenant}/{profile_id}"


class Profile(Record):
    """A person's record, or the redirect (`into`) that is left of it once it became part of another.

    A redirect keeps its parts until the survivor has them. `parted` says whose identifiers are that were taken off
    this profile; parts of those that are `leaving` wait to be handed over and count no more. `sighted` are the
    identifiers that came with the events since it was loaded and were not on it before. `computed` is what others
    computed of this person, as a whole.
    """

    schema_version = 3

    def __init__(self, id: str) -> None:  # noqa: A002  # as the record names it
        super().__init__(id)
        self.tenant, _, self.profile_id = id.partition("/")
        self.revision = 0
        self.parts: Parts = {}
        self.absorbed: set[str] = set()
        self.into: str | None = None
        self.parted: dict[str, Away] = {}
        self.leaving: set[str] = set()
        self.sighted: set[Identifier] = set()
        self.computed: Computation | None = None
        self._joined: Joined | None = None

    @property
    def joined(self) -> Joined:
        """The profile that the parts tell. Not to be changed."""
        if self._joined is None:
            self._joined = join(part for key, part in self.parts.items() if key.identifier not in self.leaving)
        return self._joined

    @property
    def size(self) -> int:
        """How many bytes the traits, counters and identifiers of all parts take."""
        return sum(map(size_of, self.parts.values()))

    @property
    def target(self) -> str | None:
        """The id of the record that this one leads to."""
        return record_id(self.tenant, self.into) if self.into else None

    @property
    def targets(self) -> set[str]:
        """The ids of all records that this one leads to, by a redirect or a parting."""
        away = {record_id(self.tenant, away.profile_id) for away in self.parted.values()}
        return away | {self.target} if self.target else away

    def away(self, identifier: str) -> tuple[int, str] | None:
        """Where an identifier was last parted to, and with which version that began."""
        away = self.parted.get(identifier)
        return (away.version, record_id(self.tenant, away.profile_id)) if away else None

    def note(self, identifiers: Iterable[str], away: Away) -> None:
        """Note whose these identifiers are, unless something newer is known."""
        for identifier in identifiers:
            self.parted[identifier] = max(away, self.parted.get(identifier, away))

    def leave(self, identifiers: set[str]) -> None:
        """Let the parts of these identifiers, and of no others, count no more."""
        self.leaving = identifiers
        self._joined = None

    def add(self, identifier: str, event: Part) -> list[str]:
        """Take in an event; the names of the traits whose value it changed."""
        changed = changed_traits(self.joined.traits, event.traits)
        self.sighted |= event.identifiers - self.joined.identifiers
        self.joined.add(event)
        key = PartKey(self.profile_id, identifier, self.era(identifier))
        self.parts.setdefault(key, Part(event.first_seen, event.last_seen)).add(event)
        return changed

    def era(self, identifier: str) -> int:
        """Which of the parts that an identifier has had on this profile, parted and come back, still grows."""
        away = self.parted.get(identifier)
        return away.version if away else 0

    def replace_parts(self, parts: Parts) -> list[str]:
        """Hold these parts from now on; the names of the traits whose value changed."""
        before = self.joined.traits
        self.parts = parts
        return self.differs_from(before)

    def differs_from(self, before: Mapping[str, Trait]) -> list[str]:
        """Join the parts anew; the names of the traits whose value is another than before."""
        self._joined = None
        return differing_traits(before, self.joined.traits)

    def next_revision(self) -> int:
        """Count one more change of what the profile says."""
        self.revision += 1
        return self.revision

    @property
    def written_as(self) -> int:
        """What knows no computed traits or no partings may read a record that has none."""
        return 3 if self.computed else 2 if self.parted else 1

    def to_state(self) -> State:
        """See Record."""
        return {
            "tenant": self.tenant,
            "revision": self.revision,
            "into": self.into,
            "absorbed": sorted(self.absorbed),
            "parts": state_of(self.parts),
            "parted": [[identifier, *away] for identifier, away in self.parted.items()],
            "leaving": sorted(self.leaving),
            **computation_state(self.computed),
        }

    @classmethod
    def from_state(cls, id: str, state: State) -> Profile:  # noqa: A002
        """See Record."""
        profile = cls(id)
        profile.revision = state["revision"]
        profile.into = state["into"]
        profile.absorbed = set(state["absorbed"])
        profile.parts = parts_of(state["parts"])
        profile.parted = {identifier: Away(*away) for identifier, *away in state.get("parted", ())}
        profile.leaving = set(state.get("leaving", ()))
        profile.computed = parse_computation(state)
        return profile
