"""What an event says about a person, as a part of its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from cdp_contracts.envelope import JsonObject
from cdp_contracts.events_v1 import Event, EventResolved

from cdp_profiles.domain.parts import Allowed, Identifier, Part, Trait, canonical, micros

SHA256_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")


def part_of(event: EventResolved) -> Part:
    """The event as a part: its traits, one count, its instant, and the identifiers on it."""
    at = micros(event.occurred_at)
    return Part(
        first_seen=at,
        last_seen=at,
        traits={
            name: Trait(at, event.message_id, canonical(value), event.source)
            for name, value in person_traits(event.event).items()
        },
        counters={counter_of(event.event): 1},
        identifiers=set(identifiers_on(event.event)),
        allowed=Allowed(at, event.message_id, event.decision.purposes),
    )


def person_traits(event: Event) -> JsonObject:
    """The traits of the person; those of a group call are the group's."""
    return {} if event.type == "group" else event.traits


def counter_of(event: Event) -> str:
    """What the event counts as: tracked events by name, all others by type (page names have no end)."""
    return event.name if event.type == "track" else event.type


def identifiers_on(event: Event) -> Iterator[Identifier]:
    """The identifiers that a profile can be looked up by."""
    if event.user_id:
        yield identifier("user_id", event.user_id)
    if event.anonymous_id:
        yield identifier("anonymous_id", event.anonymous_id)
    email = person_traits(event).get("email")
    if isinstance(email, str) and ("@" in email or SHA256_HEX.fullmatch(email)):
        yield identifier("email", email)


def identifier(kind: str, value: str) -> Identifier:
    """The identifier in its one spelling: NFKC, no space around it; an e-mail address in lower case."""
    spelled = unicodedata.normalize("NFKC", value).strip()
    return Identifier(kind, spelled.lower() if kind == "email" else spelled)


def lookup_text(of: Identifier) -> str:
    """What stands for the identifier before it is pseudonymized.

    It is the SHA-256 of an e-mail address, so that those who only ever send the hash are found, too.
    """
    if of.kind == "email" and not SHA256_HEX.fullmatch(of.value):
        return sha256(of.value.encode()).hexdigest()
    return of.value
