"""Sightings, identifiers seen together on an event, and the persons first seen in a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import EventPermitted
from cdp_runtime.pseudonyms import Pseudonymizer

from cdp_identity.domain.entities import Entity, Link, claimed
from cdp_identity.domain.identifiers import Identifier, Sign, signs_of, subject_sign
from cdp_identity.domain.rules import SHIPPED, USER, Bounds, RuleBook, Rules


@dataclass(frozen=True, slots=True)
class Sighting:
    """Identifiers that came on one event, the one that attributes it first. `seen_at` in epoch ms.

    `subject` attributes it when none of them may (`former_subjects`: under former peppers); `rules` are those in
    force for it; `by` who decided a match.
    """

    event: UUID
    tenant: str
    source: str
    seen_at: int
    signs: tuple[Sign, ...]
    rules: Rules = SHIPPED
    subject: str = ""
    by: str = ""
    former_subjects: tuple[str, ...] = ()

    @property
    def first(self) -> Identifier:
        """The identifier that attributes the event."""
        return self.signs[0].identifier

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """All of them, by priority."""
        return tuple(sign.identifier for sign in self.signs)

    @property
    def bounds(self) -> Bounds:
        """What the unions it asks for are held against."""
        return self.rules.bounds_for(self.source)

    @property
    def user(self) -> str | None:
        """The pseudonym of the user who is logged in, if one is."""
        return next((sign.identifier.pseudonym for sign in self.signs if sign.identifier.kind == USER), None)

    def links(self) -> tuple[tuple[Identifier, Link], ...]:
        """Why each further identifier is taken for the person of the first one."""
        return tuple((sign.identifier, self.link(sign)) for sign in self.signs[1:])

    def link(self, sign: Sign) -> Link:
        """Why an identifier is taken for the person of the first one."""
        return Link(
            tenant=self.tenant,
            event=self.event,
            rule=sign.rule,
            first=self.first.pseudonym,
            other=sign.identifier.pseudonym,
            source=self.source,
            seen_at=self.seen_at,
            rules=self.rules.bounds.version,
            by=self.by,
        )

    def newborn(self, identifier: Identifier) -> Entity:
        """The entity this event makes for an identifier nobody has: the same on every redelivery.

        Its id comes from the event, not from the identifier, so that a person can be split off later.
        """
        return Entity(
            id=derived_id(self.event, f"entity/{identifier.pseudonym}"),
            tenant=self.tenant,
            born=self.seen_at,
            claims=claimed((identifier,), self.seen_at),
            size=1,
        )


def sighting_of(event: EventPermitted, pseudonyms: Pseudonymizer, book: RuleBook | None = None) -> Sighting:
    """What a permitted event says about who it belongs to, by the rules in force when it was received."""
    rules = book.in_force(event.tenant, event.received_at) if book else SHIPPED
    seen_at = int(event.received_at.timestamp() * 1000)
    signs = signs_of(event, pseudonyms, rules)
    former = subject_sign(event, pseudonyms).former
    return Sighting(
        event.id, event.tenant, event.source, seen_at, signs, rules, event.subject, former_subjects=former
    )


@dataclass(slots=True)
class Birth:
    """A person first seen in this batch: an identifier and those that were seen together with that very one."""

    entity: Entity
    first: Identifier
    others: dict[Identifier, None] = field(default_factory=dict)

    def takes(self, sighting: Sighting) -> bool:
        """Add the identifiers it has not; False, and nothing added, if a limit forbids it."""
        new = [i for i in sighting.identifiers if i != self.first and i not in self.others]
        if self.entity.bars_new(new, sighting.bounds, sighting.seen_at):
            return False
        self.entity = replace(self.entity.claiming(new, sighting.seen_at), ver=self.entity.ver)
        self.others.update(dict.fromkeys(new))
        return True


def births(sightings: Sequence[Sighting], known: Callable[[Identifier], bool]) -> list[Birth]:
    """The persons made of identifiers that nobody has yet, so that they can be stored in one go.

    A sighting that names somebody known, or would join two of these, is left to the unions. So is one that
    reaches a person only through another identifier: were that one somebody else's by now, nothing would
    hold the two together. Whatever shares an identifier with one that is left comes after it there, in its order:
    a device that is seen with two users stays with the first of them, however many come in one batch.
    """
    born: dict[Identifier, Birth] = {}
    taken: set[Identifier] = set()
    left: set[Identifier] = set()
    for sighting in sorted(sightings, key=lambda s: len(s.signs) == 1):  # who is seen alone joins nobody
        identifiers = sighting.identifiers
        birth = born.get(sighting.first)
        others = taken if birth is None else taken - birth.others.keys() - {birth.first}
        new = birth or Birth(sighting.newborn(sighting.first), sighting.first)
        if (
            any(known(identifier) for identifier in identifiers)
            or not left.isdisjoint(identifiers)
            or not others.isdisjoint(identifiers)
            or not new.takes(sighting)
        ):
            left.update(identifiers)
        else:
            born[sighting.first] = new
            taken.update(identifiers)
    return list(born.values())
