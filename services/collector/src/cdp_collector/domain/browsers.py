"""What an event may carry of its browser: by the edge's stamp, or by the sender where that is allowed."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdp_contracts.definitions_v1 import SourceDefined
from cdp_contracts.events_v1 import EventReceived
from pydantic import JsonValue

from cdp_collector.domain.structure import Pseudonym, is_placeholder
from cdp_collector.domain.visitors import FIRST_PARTY, allowed

SHORTEST_FINGERPRINT: Final = 8
LONGEST: Final = 256


@dataclass(frozen=True, slots=True)
class Browser:
    """What is known of an event's browser, where its consent allows to know it."""

    first_party_id: str | None = None
    visit: str | None = None
    fingerprint: str | None = None


UNKNOWN: Final = Browser()


def browser_of(event: EventReceived, source: SourceDefined, at: datetime, pseudonym: Pseudonym) -> Browser:
    """What an event of that time tells. An event that waited since an earlier visit is not of this one."""
    edge = event.edge
    visit = edge.visit if edge else None
    return Browser(
        first_party_id=edge.first_party_id if edge else None,
        visit=visit.id if visit and at >= visit.since else None,
        fingerprint=_fingerprint(event, source, pseudonym),
    )


def claims_first_party(value: str) -> bool:
    """Whether an id that a sender wrote reads like one that only the edge gives, however it is spelled."""
    return unicodedata.normalize("NFKC", value).strip().casefold().startswith(FIRST_PARTY)


def _fingerprint(event: EventReceived, source: SourceDefined, pseudonym: Pseudonym) -> str | None:
    """A keyed hash of what the sender made of the device's features; None without the consent for just that."""
    names, context = source.fingerprint_consent, _object(event.context)
    if names is None or (event.edge and event.edge.gpc) or not allowed(context.get("consent"), names):
        return None
    value = _object(context.get("device")).get("fingerprint")
    if not isinstance(value, str) or not SHORTEST_FINGERPRINT <= len(value.strip()) <= LONGEST:
        return None
    return None if is_placeholder(value.strip()) else pseudonym(source.tenant, "fingerprint", value.strip())


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}
