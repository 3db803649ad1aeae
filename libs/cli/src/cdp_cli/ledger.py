"""The ledger of the platform: what went into every hop and what became of it, told by the topics alone.

Counted by message id and by place, not by numbers of records: a role that was killed may have written a message
twice, and that is allowed. A record without an outcome is in flight until its group has committed it, then lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias, get_args

from cdp_contracts import failures_v1
from cdp_contracts.envelope import Contract, derived_id
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    MATCHES_DECIDED,
    PROFILES_UPDATED,
    TRAITS_COMPUTED,
    UNMERGES_REQUESTED,
    Topic,
)
from cdp_runtime.batch import Origin, origin_of
from cdp_runtime.transport import Incoming
from pydantic import AliasChoices, Field, JsonValue, ValidationError

Outcome: TypeAlias = Literal["out", "rejected", "withheld", "duplicates", "dead-lettered", "in flight", "lost"]
Topics: TypeAlias = Mapping[str, Sequence["Line"]]

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
PLACES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Hop:
    """A consumer group, what it reads, and where it writes what follows; nowhere if nothing has to follow."""

    group: str
    reads: Topic[Contract]
    writes: tuple[Topic[Contract], ...] = ()
    by: Literal["event", "merge", "unmerge"] = "event"

    @property
    def letters(self) -> str:
        """Where it sets aside what it cannot handle."""
        return self.reads.dead_letters(self.group.split("-", maxsplit=1)[0])

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every topic that tells an outcome of this hop."""
        return (*(topic.name for topic in self.writes), self.letters)


HOPS: Final = (
    Hop("collector-validator.validate_events", EVENTS_RECEIVED, (EVENTS_VALIDATED, EVENTS_REJECTED)),
    Hop("consent-gate.guard_events", EVENTS_VALIDATED, (EVENTS_PERMITTED, EVENTS_WITHHELD)),
    Hop("identity-resolver.resolve_identities", EVENTS_PERMITTED, (EVENTS_RESOLVED,)),
    Hop("profiles-writer.update_profiles", EVENTS_RESOLVED, (PROFILES_UPDATED,)),
    Hop("profiles-writer.absorb_profiles", IDENTITIES_MERGED, (PROFILES_UPDATED,), by="merge"),
    Hop("profiles-writer.part_profiles", IDENTITIES_UNMERGED, (PROFILES_UPDATED,), by="unmerge"),
    Hop("profiles-writer.keep_computed_traits", TRAITS_COMPUTED),
    Hop("segments-evaluator.evaluate", PROFILES_UPDATED),
    Hop("identity-resolver.apply_verdicts", MATCHES_DECIDED),
    Hop("identity-resolver.part_persons", UNMERGES_REQUESTED, (IDENTITIES_UNMERGED,)),
)


class Named(Contract):
    """As much of any message as the ledger needs."""

    tenant: str = ""
    message_id: JsonValue = Field(default=None, validation_alias=AliasChoices("message_id", "messageId"))
    cause: JsonValue = None
    absorbed: JsonValue = None
    partings: JsonValue = None
    computed: JsonValue = None

    @property
    def by(self) -> JsonValue:
        """What brought it about, as a hop names it."""
        return "unmerge" if self.partings else self.cause if self.computed is None else "computed"


@dataclass(frozen=True, slots=True)
class Line:
    """A record as the ledger keeps it. `first` is where and when it first came, if it was put back since.

    `source` is the place of the record that a dead letter is of.
    """

    topic: str
    place: tuple[int, int]
    at: datetime
    first: Origin
    named: Named | None
    source: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the records that a hop read: `outcomes` add up to `read`. `lost` names the first places."""

    hop: Hop
    read: int
    outcomes: Mapping[Outcome, int]
    lost: tuple[str, ...] = field(default=())

    @property
    def balanced(self) -> bool:
        """Whether nothing is lost."""
        return not self.outcomes["lost"]


def balance(hop: Hop, topics: Topics, committed: Mapping[int, int]) -> Row:
    """The row of a hop.

    `committed` must be older than `topics`, and what follows read after what it follows from. Records of one
    message id stand for one outcome and its duplicates: that one of several was lost cannot be told.
    """
    books = _Books(hop, topics, committed)
    told: Counter[Outcome] = Counter()
    lost: list[str] = []
    for line in topics[hop.reads.name]:
        outcome = books.outcome(line)
        told[outcome] += 1
        if outcome == "lost":
            lost.append("{} {}:{}".format(line.topic, *line.place))
    return Row(hop, told.total(), {outcome: told[outcome] for outcome in OUTCOMES}, tuple(lost[:PLACES_SHOWN]))


class _Books:
    """The outcomes of a hop that no record has been held against yet."""

    def __init__(self, hop: Hop, topics: Topics, committed: Mapping[int, int]) -> None:
        self._hop = hop
        self._committed = committed
        self._passed = {n for t in hop.writes if t.outcome == "emitted" for n in self._names(topics[t.name])}
        exits = {t.outcome: list(self._names(topics[t.name])) for t in hop.writes if t.outcome != "emitted"}
        # A message id is rejected as often as it is tried, but withheld once, however often that is told.
        self._left = {o: Counter(names if o == "rejected" else set(names)) for o, names in exits.items()}
        self._known = self._passed.union(*self._left.values())
        self._aside = {letter.source for letter in topics[hop.letters]}

    def outcome(self, line: Line) -> Outcome:
        """What became of a record; each outcome is given away once, what is left over are duplicates."""
        name = next((name for name in names_of(line, self._hop) if name in self._known), "")
        if name in self._passed:
            self._passed.remove(name)
            return "out"
        for exit_ in ("rejected", "withheld"):
            if self._left.get(exit_, Counter())[name]:
                self._left[exit_][name] -= 1
                return exit_
        if (line.first.partition, line.first.offset) in self._aside:
            return "dead-lettered"
        if not name:
            partition, offset = line.place
            done = offset < self._committed.get(partition, 0)
            return ("lost" if self._hop.writes else "out") if done else "in flight"
        return "duplicates"

    def _names(self, lines: Sequence[Line]) -> Iterator[str]:
        for line in lines:
            yield from names_of(line, self._hop)


def names_of(line: Line, hop: Hop) -> tuple[str, ...]:
    """What a record is known by on both sides of a hop; nothing if it takes no part in it."""
    named = line.named
    if named is None or (line.topic == PROFILES_UPDATED.name and hop.writes and named.by != hop.by):
        return ()
    if hop.by == "merge":
        return (f"{named.tenant}/{named.absorbed}",)
    if hop.reads is not EVENTS_RECEIVED:
        return (f"{named.tenant}/{named.message_id}",)
    if line.topic != EVENTS_RECEIVED.name:
        return (str(named.message_id),)
    return (str(named.message_id), made_up(line))


def made_up(line: Line) -> str:
    """The message id that the collector gives an event that brings none of use: it follows from its place."""
    place = f"{line.topic}/{line.first.partition}/{line.first.offset}/{line.first.timestamp.isoformat()}"
    return str(derived_id(place, "message"))


def line_of(record: Incoming) -> Line:
    """What the ledger keeps of a record. Never raises, whatever its bytes are."""
    try:
        named = Named.model_validate_json(record.value or b"")
    except (ValidationError, ValueError, RecursionError):
        named = None
    place = (record.partition, record.offset)
    return Line(record.topic, place, record.timestamp, origin_of(record), named, source_of(record))


def source_of(letter: Incoming) -> tuple[int, int] | None:
    """Partition and offset of the record that a dead letter is of; None if it is none."""
    said = dict(letter.headers)
    try:
        return int(said[failures_v1.SOURCE_PARTITION]), int(said[failures_v1.SOURCE_OFFSET])
    except (KeyError, ValueError):
        return None
