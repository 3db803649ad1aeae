"""What an event says about who it belongs to, as keyed hashes: no raw identifier goes further than here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from cdp_contracts.events_v1 import Event, EventPermitted, subject_text
from cdp_runtime.pseudonyms import Pseudonymizer
from pydantic import JsonValue

from cdp_identity.domain.rules import SHIPPED, SUBJECT, Kind, Rules
from cdp_identity.domain.values import device_value, email_value, named_value, phone_value

Rule: TypeAlias = Literal["same-event", "alias", "match", "do-not-link"]
Named: TypeAlias = tuple[Kind, JsonValue, Rule]

# Segment's names for the types of `context.externalIds`; any other type is a kind of its own.
EXTERNAL_KINDS: Final[Mapping[str, Kind]] = {
    "user_id": "user_id", "email": "email", "phone": "phone", "anonymous_id": "anonymous_id",
    "cross_domain_id": "cross_domain_id", "android.id": "device_id", "ios.id": "device_id",
    "android.idfa": "advertising_id", "ios.idfa": "advertising_id", "ga_client_id": "cookie", "cookie": "cookie",
}  # fmt: skip
READ: Final[Mapping[Kind, Callable[[JsonValue], str | None]]] = {
    "email": email_value, "device_id": device_value, "advertising_id": device_value,
}  # fmt: skip
MOST_EXTERNAL: Final = 1000
EXTERNAL_TYPE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Identifier(NamedTuple):
    """A value of a kind, known by its pseudonym alone."""

    kind: Kind
    pseudonym: str


class Sign(NamedTuple):
    """An identifier on an event, and why it is taken for the same person as the first one.

    `former`: its pseudonyms under peppers that are no longer written with.
    """

    identifier: Identifier
    rule: Rule = "same-event"
    former: tuple[str, ...] = ()


def signs_of(event: EventPermitted, pseudonyms: Pseudonymizer, rules: Rules = SHIPPED) -> tuple[Sign, ...]:
    """The identifiers of an event that its source may assert, each once, by priority, and no more than the cap.

    Placeholders are left out. An event left with none is known by its subject: one entity a device.
    """
    found: dict[Identifier, Sign] = {}
    trust = rules.trust(event.source)
    for kind, raw, rule in _named_by(event.event):
        if not trust.may_assert(kind):
            continue
        value = phone_value(raw, trust.region) if kind == "phone" else READ.get(kind, named_value)(raw)
        if value is None or rules.blocks(kind, raw, value):
            continue
        identifier = Identifier(kind, pseudonyms.of(event.tenant, kind, value))
        found.setdefault(identifier, Sign(identifier, rule, pseudonyms.former(event.tenant, kind, value)))
    signs = sorted(found.values(), key=lambda sign: rules.priority(sign.identifier.kind))
    return tuple(signs[: rules.per_event]) or (subject_sign(event, pseudonyms),)


def subject_sign(event: EventPermitted, pseudonyms: Pseudonymizer) -> Sign:
    """What an event is known by that names nobody."""
    text = subject_text(event.event.anonymous_id, event.event.user_id)
    former = pseudonyms.former(event.tenant, "subject", text) if text else ()
    return Sign(Identifier(SUBJECT, event.subject), former=former)


def pseudonyms_of(tenant: str, kind: Kind, raw: str, pseudonyms: Pseudonymizer) -> tuple[str, ...]:
    """What a value is called in the graph, now and under former peppers; nothing if it names nobody anyway.

    Written as it is here: ids in another case, and phone numbers without a plus, are other values.
    """
    value = phone_value(raw, None) if kind == "phone" else READ.get(kind, named_value)(raw)
    if value is None:
        return ()
    return pseudonyms.all_of(tenant, kind, value)


def _named_by(event: Event) -> Iterator[Named]:
    yield "user_id", event.user_id, "same-event"
    if event.type != "group":  # the traits of a group are the group's
        yield "email", event.traits.get("email"), "same-event"
        yield "phone", event.traits.get("phone"), "same-event"
        yield "cross_domain_id", event.traits.get("crossDomainId"), "same-event"
    yield "anonymous_id", event.anonymous_id, "same-event"
    yield "cookie", event.first_party_id, "same-event"
    if event.context:
        yield from _in_context(event.context)
    if event.type == "alias":
        yield "anonymous_id", event.previous_id, "alias"


def _in_context(context: Mapping[str, Any]) -> Iterator[Named]:
    device, external = context.get("device"), context.get("externalIds")
    if isinstance(device, dict):
        yield "device_id", device.get("id"), "same-event"
        if device.get("adTrackingEnabled") is not False:
            yield "advertising_id", device.get("advertisingId"), "same-event"
    if isinstance(external, list):
        for each in external[:MOST_EXTERNAL]:
            if isinstance(each, dict) and (kind := _external_kind(each)):
                yield kind, each.get("id"), "same-event"


def _external_kind(external: Mapping[str, Any]) -> Kind | None:
    """The kind of one of `context.externalIds`; None if it is not a person's or not written plainly."""
    of = external.get("type")
    if (
        not isinstance(of, str)
        or not EXTERNAL_TYPE.fullmatch(of)
        or external.get("collection", "users") != "users"
    ):
        return None
    kind = EXTERNAL_KINDS.get(of, f"external.{of}")
    readable = ("none", "sha256") if kind == "email" else ("none",)
    return kind if external.get("encoding", "none") in readable else None
