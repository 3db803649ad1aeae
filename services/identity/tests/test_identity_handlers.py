"""The resolver on the bus: what goes out for what comes in, through crashes and replays."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from cdp_contracts.definitions_v1 import IdentifierRule, IdentityRulesDefined
from cdp_contracts.envelope import derived_id
from cdp_contracts.matches_v1 import MatchDecided
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RESOLVED,
    IDENTITIES_MERGE_REFUSED,
    IDENTITIES_MERGED,
    IDENTITY_RULES_DEFINED,
    MATCHES_DECIDED,
    Topic,
)
from cdp_identity.handlers import rules_table, stages
from cdp_identity.store import GraphStore, IdentityGraph, MemoryGraphStore
from cdp_testkit import Action, Crash, LocalBus
from identity_builders import PSEUDONYMS, Sightings, ident, permitted

FACTS = (EVENTS_RESOLVED, IDENTITIES_MERGED, IDENTITIES_MERGE_REFUSED)
STORY = [
    permitted(0, anonymous_id="phone"),
    permitted(1, anonymous_id="laptop"),
    permitted(2, type="identify", user_id="ada", anonymous_id="phone", traits={"email": "ada@lovelace.org"}),
    permitted(3, type="identify", user_id="ada", anonymous_id="laptop"),
    permitted(4, type="identify", user_id="bob", anonymous_id="laptop"),
    permitted(5, user_id="bob"),
    permitted(6, type="alias", user_id="bob", previous_id="watch"),
    permitted(7, anonymous_id="watch"),
]


def told(bus: LocalBus, topics: Sequence[Topic[Any]] = FACTS) -> dict[object, object]:
    """Every fact by its id; the same id must never say two different things."""
    facts: dict[object, object] = {}
    for topic in topics:
        for message in bus.messages(topic):
            assert facts.setdefault(message.id, message) == message
    return facts


async def run(bus: LocalBus, max_records: int) -> None:
    bus.max_records = max_records
    await bus.drain()


@pytest.fixture
def bus() -> LocalBus:
    bus = LocalBus()
    bus.attach("identity-resolver", stages(IdentityGraph(MemoryGraphStore()), PSEUDONYMS))
    return bus


async def test_a_day_of_two_people(bus: LocalBus) -> None:
    for event in STORY:
        await bus.publish(EVENTS_PERMITTED, event)
        await bus.drain()
    resolved = {message.message_id: message for message in bus.messages(EVENTS_RESOLVED)}
    phone, laptop, ada, joined, bob, bob_again, alias, watch = (resolved[event.message_id] for event in STORY)
    assert phone.profile_id == ada.profile_id == joined.profile_id
    assert bob.profile_id == bob_again.profile_id == alias.profile_id == watch.profile_id != ada.profile_id
    assert joined.part == PSEUDONYMS.of("acme", "user_id", "ada")
    assert watch.part == PSEUDONYMS.of("acme", "anonymous_id", "watch")
    assert joined.event == STORY[3].event
    assert joined.id == derived_id(STORY[3].id, "resolved")

    (merged,) = bus.messages(IDENTITIES_MERGED)
    assert (merged.profile_id, merged.absorbed) == (phone.profile_id, laptop.profile_id)
    assert (merged.message_id, merged.evidence.rule, merged.evidence.source) == ("message-3", "same-event", "web")

    (refused,) = bus.messages(IDENTITIES_MERGE_REFUSED)
    assert (refused.profile_id, refused.other) == (bob.profile_id, ada.profile_id)
    assert refused.limit == "user_id:1"
    assert {record.key for record in bus.raw(EVENTS_RESOLVED.name)} == {
        str(profile).encode() for profile in (ada.profile_id, laptop.profile_id, bob.profile_id)
    }


async def test_every_message_is_accounted_for_and_comes_out_valid(bus: LocalBus) -> None:
    await bus.publish(EVENTS_PERMITTED, *STORY)
    await bus.drain()
    assert len(bus.messages(EVENTS_RESOLVED)) == len(STORY)
    assert not bus.dead_letters(EVENTS_PERMITTED, "identity")


async def test_a_replay_says_the_same_again(bus: LocalBus) -> None:
    await bus.publish(EVENTS_PERMITTED, *STORY)
    await bus.drain()
    before = told(bus)
    bus.redeliver()
    await bus.drain()
    after = told(bus)
    assert after.keys() == before.keys()


@pytest.mark.parametrize("emitted", range(10))
@pytest.mark.parametrize("max_records", [1, 500])
async def test_a_crash_between_two_messages_loses_and_changes_no_fact(
    bus: LocalBus, emitted: int, max_records: int
) -> None:
    await bus.publish(EVENTS_PERMITTED, *STORY)
    seen: list[Action] = []

    def script(action: Action) -> None:
        seen.append(action)
        if sum(a.what in {"emitted", "committed"} for a in seen) > emitted:
            bus.script = None
            raise Crash

    bus.script = script
    with pytest.raises(Crash):
        await run(bus, max_records)
    await run(bus, max_records)
    assert {message.message_id for message in bus.messages(EVENTS_RESOLVED)} == {e.message_id for e in STORY}
    smooth = LocalBus()
    smooth.attach("identity-resolver", stages(IdentityGraph(MemoryGraphStore()), PSEUDONYMS))
    await smooth.publish(EVENTS_PERMITTED, *STORY)
    await run(smooth, max_records)
    assert told(bus, FACTS[1:]) == told(smooth, FACTS[1:])


async def test_rules_are_in_force_from_their_effective_at_on() -> None:
    bus, rules = LocalBus(), rules_table()
    bus.attach("identity-resolver", stages(IdentityGraph(MemoryGraphStore()), PSEUDONYMS, rules), [rules])
    visits = [permitted(n, anonymous_id="phone", user_id=f"user-{n}") for n in (0, 1, 10, 11)]
    defined = IdentityRulesDefined(
        tenant="acme", name="default", version=2, effective_at=visits[2].received_at,
        kinds={"anonymous_id": IdentifierRule(blocked=("phone",))},
    )  # fmt: skip
    await bus.publish(IDENTITY_RULES_DEFINED, IdentityRulesDefined(tenant="acme", name="default"))
    await bus.publish(IDENTITY_RULES_DEFINED, defined)
    await bus.publish(EVENTS_PERMITTED, *visits)
    await bus.drain()
    assert [m.message_id for m in bus.messages(IDENTITIES_MERGE_REFUSED)] == ["message-1"]


def decided(n: int, one: tuple[str, str], other: tuple[str, str], verdict: str) -> MatchDecided:
    event = permitted(100 + n, anonymous_id="nobody")
    return MatchDecided(
        tenant="acme", id=event.id, message_id=event.message_id, occurred_at=event.occurred_at,
        received_at=event.received_at, profile_id=event.id, other=event.id, verdict=verdict, by="matcher",
        identifiers=(PSEUDONYMS.of("acme", *one), PSEUDONYMS.of("acme", *other)),
    )  # type: ignore[arg-type]  # fmt: skip


async def test_verdicts_join_and_keep_apart_within_the_limits(bus: LocalBus) -> None:
    phone, watch = ("anonymous_id", "phone"), ("anonymous_id", "watch")
    ada, bob = ("user_id", "ada"), ("user_id", "bob")
    visits = [permitted(0, anonymous_id="phone"), permitted(1, anonymous_id="watch"), permitted(2, user_id="ada"),
              permitted(3, user_id="bob")]  # fmt: skip
    await bus.publish(EVENTS_PERMITTED, *visits)
    await bus.drain()
    await bus.publish(MATCHES_DECIDED, decided(0, phone, ada, "same"), decided(1, watch, ada, "different"))
    await bus.drain()
    await bus.publish(MATCHES_DECIDED, decided(2, ada, bob, "same"), decided(3, watch, phone, "same"))
    await bus.publish(MATCHES_DECIDED, decided(4, ada, ("user_id", "unheard-of"), "same"))
    await bus.drain()
    (merged,) = bus.messages(IDENTITIES_MERGED)
    assert (merged.message_id, merged.evidence.rule) == ("message-100", "match")
    refusals = {m.message_id: m.limit for m in bus.messages(IDENTITIES_MERGE_REFUSED)}
    assert refusals == {"message-102": "user_id:1", "message-103": "do-not-link"}
    (letter,) = bus.dead_letters(MATCHES_DECIDED, "identity")
    assert dict(letter.headers)["cdp_reason"] == b"unknown-identifier"
    bus.redeliver()
    await bus.drain()
    assert len(told(bus, FACTS[1:])) == 3


async def test_workers_at_once_on_one_store_come_to_one_person(store: GraphStore) -> None:
    """The same logins in six orders, at once: whoever wins each race, nothing is lost and all is told."""
    see, dice = Sightings(), random.Random(7)
    stream = [see(f"d{n}") for n in range(6)] + [see("u1", f"d{n}", "e1") for n in range(6)]
    orders = [dice.sample(stream, len(stream)) for _ in range(6)]

    async def work(order: list[object]) -> list[object]:
        graph = IdentityGraph(store)
        return [resolution for sighting in order for resolution in await graph.resolve([sighting])]

    tellings = await asyncio.gather(*(work(order) for order in orders))
    merges = {merge for telling in tellings for resolution in telling for merge in resolution.merges}
    again = await IdentityGraph(store).resolve(stream)
    assert len({resolution.profile_id for resolution in again}) == 1
    root = (await store.entities([again[0].profile_id]))[again[0].profile_id]
    assert set(root.absorbed) == merges
    assert root.claims.keys() == {ident("u1"), ident("e1"), *(ident(f"d{n}") for n in range(6))}
