"""What an event says about who it belongs to, as keyed hashes: no raw identifier goes further than here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, Literal, NamedTuple, TypeAlias

from cdp_contracts.events_v1 import EventPermitted
from cdp_runtime.pseudonyms import Pseudonymizer
from pydantic import JsonValue

from cdp_identity.domain.placeholders import HASHES, is_placeholder, is_placeholder_address

Kind: TypeAlias = Literal["user_id", "email", "anonymous_id", "subject"]
Rule: TypeAlias = Literal["same-event", "alias"]

SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class Identifier(NamedTuple):
    """A value of a kind, known by its pseudonym alone."""

    kind: Kind
    pseudonym: str


class Sign(NamedTuple):
    """An identifier on an event, and why it is taken for the same person as the first one."""

    identifier: Identifier
    rule: Rule = "same-event"


def signs_of(event: EventPermitted, pseudonyms: Pseudonymizer) -> tuple[Sign, ...]:
    """The identifiers of an event, each once, by priority: user_id, e-mail, anonymous_id, alias's previous_id.

    Placeholders are left out. An event left with none is known by its subject: one entity a device.
    """
    found: dict[Identifier, Sign] = {}
    for kind, value, rule in _values_of(event):
        identifier = Identifier(kind, pseudonyms.of(event.tenant, kind, value))
        found.setdefault(identifier, Sign(identifier, rule))
    return tuple(found.values()) or (Sign(Identifier("subject", event.subject)),)


def _values_of(message: EventPermitted) -> Iterator[tuple[Kind, str, Rule]]:
    event = message.event
    if user := named_value(event.user_id):
        yield "user_id", user, "same-event"
    if event.type != "group" and (email := email_value(event.traits.get("email"))):
        yield "email", email, "same-event"
    if device := named_value(event.anonymous_id):
        yield "anonymous_id", device, "same-event"
    if event.type == "alias" and (previous := named_value(event.previous_id)):
        yield "anonymous_id", previous, "alias"


def named_value(value: str | None) -> str | None:
    """A user or device id as it is hashed (NFKC, no space around it), or None if it names nobody."""
    if value is None or is_placeholder(value):
        return None
    return unicodedata.normalize("NFKC", value).strip()


def email_value(value: JsonValue) -> str | None:
    """An e-mail address as it is hashed: SHA-256 (hex) of the address in NFKC, lower case, trimmed.

    A sender who hashed it that way already is taken at his word. None if it is no address of a person.
    """
    if not isinstance(value, str):
        return None
    address = unicodedata.normalize("NFKC", value).strip().lower()
    if SHA256_HEX.fullmatch(address):
        return None if address in HASHES else address
    if not ADDRESS.fullmatch(address) or is_placeholder_address(address):
        return None
    return sha256(address.encode("utf-8", "surrogatepass")).hexdigest()
