"""What an event says about the person's choices, in the sender's own words: policies give them meaning later."""

from __future__ import annotations

import re
from typing import Final, cast

from cdp_contracts.envelope import JsonObject
from cdp_contracts.events_v1 import ConsentSignals, EventReceived, EventType
from pydantic import JsonValue

CONSENT_EVENTS: Final = frozenset({"segment consent preference", "segment consent preference updated"})
MOST_CATEGORIES: Final = 100
LONGEST_CATEGORY: Final = 100
COUNTRY: Final = re.compile(r"[A-Z]{2}")
REGION: Final = re.compile(r"[A-Z0-9]{1,3}")


def event_type(event: EventReceived) -> EventType:
    """The type, with the track events that carry nothing but a choice told apart. The structure is checked."""
    given = cast("EventType", event.type)
    if given == "track" and isinstance(event.event, str) and event.event.strip().lower() in CONSENT_EVENTS:
        return "consent"
    return given


def signals_of(event: EventReceived, kind: EventType, source_jurisdiction: str | None) -> ConsentSignals:
    """Read `context.consent.categoryPreferences`, Sec-GPC and the place.

    Fails closed: a consent object that cannot be read, or a consent event without one, is `unparsable`,
    never "nothing said", and what it refuses legibly counts. An empty object of preferences means that
    nothing is allowed.
    """
    context = event.context if isinstance(event.context, dict) else {}
    choices, broken = read_choices(context.get("consent"))
    return ConsentSignals(
        choices=choices,
        unparsable=broken or (kind == "consent" and choices is None),
        gpc=event.edge.gpc if event.edge else False,
        jurisdiction=jurisdiction_of(event, context.get("location"), source_jurisdiction),
    )


def read_choices(consent: JsonValue) -> tuple[dict[str, bool] | None, bool]:
    """The choices, None if there are none; and whether there was something that could not be read.

    Of an object that can be read in part, only the refusals count.
    """
    if consent is None:
        return None, False
    preferences = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    if not isinstance(preferences, dict) or len(preferences) > MOST_CATEGORIES:
        return None, True
    choices = {n: v for n, v in preferences.items() if isinstance(v, bool) and 0 < len(n) <= LONGEST_CATEGORY}
    if len(choices) == len(preferences):
        return choices, False
    return {name: False for name, allowed in choices.items() if not allowed} or None, True


def jurisdiction_of(event: EventReceived, location: JsonValue, of_source: str | None) -> str | None:
    """Where the person is, as a short code such as DE or US-CA: by the edge, the event, else the source.

    A place that is stated but unreadable is an unknown place, not the source's.
    """
    if event.edge and event.edge.jurisdiction:
        return event.edge.jurisdiction
    if not isinstance(location, dict) or location.get("country") in (None, ""):
        return of_source
    return place_code(location)


def place_code(location: JsonObject) -> str | None:
    """`country` and `region` as one code; None if either is stated as anything but a code."""
    country, region = (_upper(location.get(name)) for name in ("country", "region"))
    if country is None or not COUNTRY.fullmatch(country):
        return None
    if region is None:
        return country
    part = region.removeprefix(f"{country}-")
    return f"{country}-{part}" if REGION.fullmatch(part) else None


def _upper(value: JsonValue) -> str | None:
    """The text in capitals; None if nothing is stated. What is no text at all reads as an unknown code."""
    if value in (None, ""):
        return None
    return value.strip().upper() if isinstance(value, str) else "?"
