"""What is read from events, and what is said about matches. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.matches_v1 import FieldScore, MatchDecided, MatchProposed
from cdp_runtime.pseudonyms import Pseudonymizer
from pydantic import JsonValue

from cdp_identity.matcher.entries import Told
from cdp_identity.matcher.pairs import MATCHER
from cdp_identity.matching.judge import Judgement
from cdp_identity.matching.record import FINGERPRINT, texts_by_kind

ALWAYS_ASKED: Final = "nothing is decided unasked here"
DIGITS: Final = 3  # of a score: what is told twice must be told in the same words


@dataclass(frozen=True, slots=True)
class Rules:
    """Which events may be matched: every purpose must be allowed, and with none named nothing is.

    `regions` says where a source's local telephone numbers and dates belong (ISO 3166), "*" for all others.
    `unasked`: whether what is certain enough is decided at once; else a person is always asked.
    """

    purposes: frozenset[str] = frozenset()
    regions: Mapping[str, str] = field(default_factory=dict)
    unasked: bool = False

    def allow(self, event: EventResolved) -> bool:
        """Whether the person's choice lets this event be used."""
        return bool(self.purposes) and self.purposes.issubset(event.decision.purposes)

    def forbid(self, event: EventResolved) -> bool:
        """Whether the event was heard while its person's choice was against this use."""
        return bool(self.purposes) and not self.allow(event)

    def region(self, source: str) -> str | None:
        """Where a source's local numbers belong."""
        return self.regions.get(source, self.regions.get("*"))


def told_by(event: EventResolved, rules: Rules, pseudonyms: Pseudonymizer) -> Told | None:
    """What an event tells of its person that can be compared; None if nothing, or if it may not be used."""
    if event.event.type != "identify" or not rules.allow(event):
        return None
    fields = texts_by_kind(event.event.traits)
    if not fields:
        return None
    device = event.event.context.get("device")
    if isinstance(device, dict) and isinstance(fingerprint := device.get(FINGERPRINT), str):
        fields[FINGERPRINT] = [fingerprint]
    user = event.event.user_id
    users = [pseudonyms.of(event.tenant, "user_id", user.strip())] if user else []
    at = int(event.occurred_at.timestamp() * 1000)
    return Told(fields, rules.region(event.source), users, at, heard_at(event))


def heard_at(event: EventResolved) -> int:
    """When it was received, in epoch ms: what is in force then is what was decided by."""
    return int(event.received_at.timestamp() * 1000)


def proposal_of(match: Judgement, rules: Rules) -> dict[str, Any]:
    """A match in plain values: profile ids, and the identifiers whose traits were compared."""
    asked = match.band == "auto" and not rules.unasked
    (mine, part), (other, other_part) = (key.split("/")[1:] for key in (match.one, match.other))
    return {
        "profile": mine, "other": other, "parts": [part, other_part],
        "score": round(match.score, DIGITS), "band": "review" if asked else match.band,
        "fields": [[f.field, f.level, round(f.stranger, DIGITS), round(f.family, DIGITS)] for f in match.fields],
        "contradictions": list(match.vetoes), "held": ALWAYS_ASKED if asked else match.held,
    }  # fmt: skip


def facts(event: EventResolved, proposals: Iterable[Any]) -> Iterator[MatchProposed | MatchDecided]:
    """The messages that an event's matches bring about: the same on every redelivery."""
    for n, said in enumerate(proposals):
        common: dict[str, Any] = {
            "tenant": event.tenant, "message_id": event.message_id, "occurred_at": event.occurred_at,
            "received_at": event.received_at, "profile_id": UUID(said["profile"]), "other": UUID(said["other"]),
            "identifiers": tuple(said["parts"]), "score": said["score"],
        }  # fmt: skip
        fields = tuple(FieldScore(field=f, level=v, weight=w, among_family=a) for f, v, w, a in said["fields"])
        yield MatchProposed(
            **common,
            id=derived_id(event.id, "match-proposed", n),
            band=said["band"],
            fields=fields,
            contradictions=tuple(said["contradictions"]),
            held=said["held"],
        )
        if said["band"] == "auto":
            yield MatchDecided(**common, id=derived_id(event.id, "match-decided", n), verdict="same", by=MATCHER)


def remembered(outcome: JsonValue) -> dict[str, Any]:
    """What was remembered of an event that was matched."""
    return outcome if isinstance(outcome, dict) else {}
