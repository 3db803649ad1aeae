"""The verdict sees every kind of damage done to what a faultless platform would answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
    MEMBERSHIP_CHANGED,
    PROFILES_UPDATED,
)
from cdp_runtime.transport import Incoming

from tests.chaos.observed import Observed, ids_in
from tests.chaos.oracle import Outcome, outcome
from tests.chaos.oracle_segments import segments_of
from tests.chaos.story import ACCEPTED, Event, Lane, Sending, Story
from tests.chaos.tape import Message, Seen
from tests.chaos.verdict import at, differences, on_events

BEGUN = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVENTS = (
    Event(message_id="t-1", occurred=1, name="Product Viewed", device="d"),
    Event(message_id="t-2", occurred=2, type="consent", device="d", choices=ACCEPTED),
    *(Event(message_id=f"t-{n}", occurred=n, name="Product Viewed", device="d", user="u") for n in (3, 4, 5)),
    Event(message_id="t-6", occurred=6, name="", device="d", wrong="event-name"),
)
STORY = Story("t-", (Lane("lane", "http", tuple(Sending(e.occurred, (e,)) for e in EVENTS)),))

Damage = Callable[[Observed], Any]


def faultless(out: Outcome) -> Observed:
    """What a platform that does everything right would answer."""
    seen = Observed()
    valid = [event.message_id for event in EVENTS if not event.wrong]
    for topic, ids in (
        (EVENTS_RECEIVED.name, [event.message_id for event in EVENTS]), (EVENTS_VALIDATED.name, valid),
        (EVENTS_PERMITTED.name, out.permitted), (EVENTS_RESOLVED.name, out.permitted),
    ):  # fmt: skip
        seen.records[topic] = [told(topic, message_id=i, id=str(uuid5(NAMESPACE_OID, i))) for i in ids]
    for i, rule in out.rejected.items():
        seen.records[EVENTS_REJECTED.name].append(told(EVENTS_REJECTED.name, message_id=i, rule=rule))
    for i, reason in out.withheld.items():
        seen.records[EVENTS_WITHHELD.name].append(told(EVENTS_WITHHELD.name, message_id=i, reason=reason))
    for n, (i, purposes) in enumerate(out.permitted.items(), 1):
        update = {"message_id": i, "id": i, "cause": "event", "purposes": list(purposes)}
        seen.records[PROFILES_UPDATED.name].append(
            told(PROFILES_UPDATED.name, **update, profile_id="p", revision=n)
        )
    (person,) = out.persons.values()
    for version in (1, 2):
        memberships = {name: {"since": "then"} for name in segments_of(person)}
        membership = {"profile_id": "p", "version": version, "memberships": memberships}
        seen.records[MEMBERSHIP_CHANGED.name].append(told(MEMBERSHIP_CHANGED.name, **membership))
    seen.holders = {one: ("p",) if one in on_events(person) else () for one in ids_in(STORY)}
    first, last = (at(BEGUN, moment).isoformat() for moment in person.seen)
    seen.profiles["p"] = {
        "id": "p", "merged_from": [], "traits": {}, "counters": person.counters, "first_seen": first,
        "last_seen": last, "identifiers": {"user_id": 1, "anonymous_id": 1},
    }  # fmt: skip
    seen.consents = {key: choice.standing for key, choice in out.consents.standing.items()}
    return seen


def told(topic: str, **message: Any) -> Seen:
    """A message on a topic."""
    return Seen(Incoming(topic, 0, 0, BEGUN, None, b""), message)


def message(seen: Observed, topic: str, n: int = 0) -> Message:
    """One of the messages, to be changed."""
    return seen.records[topic][n].message


def verdict(damage: Damage) -> list[str]:
    """What is found after the damage."""
    out = outcome(STORY)
    seen = faultless(out)
    damage(seen)
    return differences(STORY, [event.message_id for event in EVENTS], BEGUN, out, seen)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert verdict(lambda seen: None) == []


def test_a_copy_of_a_message_is_allowed() -> None:
    copied = (EVENTS_VALIDATED.name, EVENTS_RESOLVED.name, PROFILES_UPDATED.name, MEMBERSHIP_CHANGED.name)
    assert verdict(lambda seen: [seen.records[topic].append(seen.records[topic][0]) for topic in copied]) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda seen: seen.records[EVENTS_RECEIVED.name].pop(), "acknowledged, but not in"),
        (lambda seen: seen.records[EVENTS_VALIDATED.name].pop(), "received = validated"),
        (lambda seen: seen.records[EVENTS_PERMITTED.name].pop(), "validated = permitted"),
        (lambda seen: seen.records[EVENTS_RESOLVED.name].pop(), "permitted = resolved"),
        (lambda seen: seen.records[PROFILES_UPDATED.name].pop(), "resolved = updated"),
        (lambda seen: seen.records[EVENTS_WITHHELD.name].pop(), "validated = permitted"),
        (lambda seen: seen.records["cdp.events.resolved.v1.profiles.dlq"].append(told("x")), "dead-lettered"),
        (lambda seen: message(seen, EVENTS_REJECTED.name).update(rule="type"), "rejected: 1 differ"),
        (lambda seen: message(seen, EVENTS_WITHHELD.name).update(reason="denied"), "withheld: 1 differ"),
        (lambda seen: message(seen, PROFILES_UPDATED.name).update(purposes=["analytics"]), "purposes"),
        (lambda seen: seen.consents.update({(("user_id", "u"), "analytics"): "granted"}), "consent: 1 differ"),
        (lambda seen: seen.broken_chains.append(("user_id", "u")), "ledgers"),
        (lambda seen: seen.holders.update({("user_id", "u"): ("q",)}), "people, by their ids"),
        (lambda seen: seen.profiles["p"].update(counters={"Product Viewed": 4, "consent": 1}), "counters"),
        (lambda seen: seen.profiles["p"].update(merged_from=["q"]), "merged"),
        (lambda seen: seen.profiles["p"].update(first_seen=BEGUN.isoformat()), "seen"),
        (lambda seen: message(seen, MEMBERSHIP_CHANGED.name, 1).update(memberships={}), " segments:"),
        (lambda seen: message(seen, MEMBERSHIP_CHANGED.name, 1).update(version=3), "membership versions"),
        (lambda seen: message(seen, MEMBERSHIP_CHANGED.name, 0).update(version=2, at=1), "says two things"),
        (lambda seen: seen.records[MEMBERSHIP_CHANGED.name].reverse(), "as first told"),
        (lambda seen: message(seen, PROFILES_UPDATED.name, 1).update(revision=1), "revisions: 1 says two things"),
    ],
)
def test_damage_is_found(damage: Damage, words: str) -> None:
    assert any(words in line for line in verdict(damage))
