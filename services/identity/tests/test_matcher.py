"""The matcher on the bus: who is proposed, who never is, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cdp_contracts.topics import EVENTS_RESOLVED, IDENTITIES_MERGED, MATCHES_DECIDED, MATCHES_PROPOSED
from cdp_identity.matcher.pairs import pair_id
from cdp_identity.matcher.store import MatcherStore, memory_store
from cdp_identity.matcher.telling import Rules
from cdp_testkit import LocalBus
from matcher_builders import ADA, RULES, identified, matching_bus, merged, profile

TWIN = {**ADA, "firstName": "Emma"}
NO_DATE = {name: value for name, value in ADA.items() if name != "birthday"}


async def played(*messages: Any, store: MatcherStore | None = None, rules: Rules = RULES) -> LocalBus:
    """Each message in a batch of its own."""
    bus = matching_bus(store or memory_store(), rules)
    for message in messages:
        await bus.publish(EVENTS_RESOLVED if hasattr(message, "event") else IDENTITIES_MERGED, message)
        await bus.drain()
    assert not bus.halted()
    return bus


async def test_one_person_under_two_profiles_is_decided_unasked() -> None:
    store = memory_store()
    bus = await played(identified(1, "phone", ADA), identified(2, "laptop", ADA), store=store)
    (proposed,) = bus.messages(MATCHES_PROPOSED)
    assert (proposed.profile_id, proposed.other) == (profile("laptop"), profile("phone"))
    assert (proposed.band, proposed.contradictions, proposed.held) == ("auto", (), "")
    assert {field.field for field in proposed.fields} == {"given", "family", "birth", "address"}
    (decided,) = bus.messages(MATCHES_DECIDED)
    assert (decided.profile_id, decided.other, decided.verdict) == (profile("laptop"), profile("phone"), "same")
    assert decided.by == "matcher"
    pair = pair_id("acme", str(profile("phone")), str(profile("laptop")))
    assert (await store.pairs.load([pair]))[pair].status == "same"
    assert await store.pairs.waiting("acme", 10) == []


async def test_who_may_be_family_waits_for_a_person() -> None:
    store = memory_store()
    bus = await played(identified(1, "phone", NO_DATE), identified(2, "laptop", NO_DATE), store=store)
    assert [message.band for message in bus.messages(MATCHES_PROPOSED)] == ["review"]
    assert bus.messages(MATCHES_DECIDED) == []
    assert [pair.status for pair in await store.pairs.waiting("acme", 10)] == ["open"]


async def test_twins_and_strangers_are_not_proposed() -> None:
    bus = await played(identified(1, "phone", ADA), identified(2, "laptop", TWIN), identified(3, "tv", {"a": 1}))
    assert bus.messages(MATCHES_PROPOSED) == []


@pytest.mark.parametrize(
    ("rules", "purposes"),
    [
        (Rules(), ("analytics", "personalization")),
        (RULES, ("analytics",)),
        (RULES, ()),
        (Rules(frozenset({"personalization", "advertising"})), ("personalization",)),
    ],
    ids=["none-named", "another", "none-allowed", "one-of-two"],
)
async def test_nothing_is_kept_or_compared_without_every_purpose(rules: Rules, purposes: tuple[str, ...]) -> None:
    store = memory_store()
    events = [identified(n, who, ADA, purposes=purposes) for n, who in enumerate(("phone", "laptop"))]
    bus = await played(*events, store=store, rules=rules)
    assert bus.messages(MATCHES_PROPOSED) == []
    assert store.entries.documents == store.blocks.documents == store.counters.documents == {}  # type: ignore[attr-defined]


async def test_nothing_is_decided_unasked_unless_somebody_said_so() -> None:
    bus = await played(
        identified(1, "phone", ADA), identified(2, "laptop", ADA), rules=replace(RULES, unasked=False)
    )
    (proposed,) = bus.messages(MATCHES_PROPOSED)
    assert (proposed.band, proposed.held) == ("review", "nothing is decided unasked here")
    assert bus.messages(MATCHES_DECIDED) == []


async def test_two_user_ids_are_never_proposed() -> None:
    bus = await played(identified(1, "phone", ADA, user_id="ada"), identified(2, "laptop", ADA, user_id="eve"))
    assert bus.messages(MATCHES_PROPOSED) == []


async def test_tenants_do_not_meet() -> None:
    bus = await played(identified(1, "phone", ADA), identified(2, "laptop", ADA, tenant="umbrella"))
    assert bus.messages(MATCHES_PROPOSED) == []


async def test_the_same_traits_again_say_nothing_new() -> None:
    events = [identified(1, "phone", NO_DATE), *(identified(n, "laptop", NO_DATE) for n in (2, 3, 4))]
    bus = await played(*events)
    assert len(bus.messages(MATCHES_PROPOSED)) == 1


async def test_a_pair_is_told_again_only_when_nobody_has_to_be_asked_any_more() -> None:
    more = [identified(3, "phone", ADA), identified(4, "laptop", {**ADA, "phone": "0113 496 0000"})]
    bus = await played(identified(1, "phone", NO_DATE), identified(2, "laptop", NO_DATE), *more)
    assert [m.band for m in sorted(bus.messages(MATCHES_PROPOSED), key=lambda m: m.occurred_at)] == [
        "review", "auto",
    ]  # fmt: skip


async def test_a_replay_says_the_same_again() -> None:
    store = memory_store()
    events = [identified(1, "phone", ADA), identified(2, "laptop", ADA), identified(3, "tablet", ADA)]
    bus = await played(*events, store=store)
    said = {message.id: message for message in bus.messages(MATCHES_PROPOSED)}
    counted = {i: d["numbers"] for i, d in store.counters.documents.items()}  # type: ignore[attr-defined]
    bus.redeliver()
    await bus.drain()
    again = bus.messages(MATCHES_PROPOSED)
    assert len(again) == 2 * len(said)
    assert {message.id: message for message in again} == said
    assert counted == {i: d["numbers"] for i, d in store.counters.documents.items()}  # type: ignore[attr-defined]


async def test_one_batch_proposes_each_pair_once() -> None:
    bus = matching_bus(memory_store())
    people = ("phone", "laptop", "tablet")
    await bus.publish(EVENTS_RESOLVED, *(identified(n, who, ADA) for n, who in enumerate(people)))
    await bus.drain()
    pairs = [frozenset((m.profile_id, m.other)) for m in bus.messages(MATCHES_PROPOSED)]
    assert len(pairs) == len(set(pairs)) == 3


async def test_an_absorbed_profile_is_compared_as_its_survivor() -> None:
    store = memory_store()
    bus = await played(
        identified(1, "phone", ADA), merged(2, "watch", "phone"), identified(3, "laptop", ADA), store=store
    )
    assert [(m.profile_id, m.other) for m in bus.messages(MATCHES_PROPOSED)] == [
        (profile("laptop"), profile("watch"))
    ]
    late = await played(identified(4, "phone", {**ADA, "email": "ada@byron.org"}), store=store)
    assert {message.profile_id for message in late.messages(MATCHES_PROPOSED)} <= {profile("watch")}


async def test_people_are_counted_once_whatever_is_merged() -> None:
    store = memory_store()
    await played(
        identified(1, "phone", ADA), identified(2, "laptop", ADA), merged(3, "phone", "laptop"), store=store
    )
    numbers = [d["numbers"] for i, d in store.counters.documents.items() if "population" in i]  # type: ignore[attr-defined]
    assert sum(number.get("people", 0) for number in numbers) == 1
    terms = [d["numbers"] for i, d in store.counters.documents.items() if "population" not in i]  # type: ignore[attr-defined]
    assert {number["people"] for number in terms} == {1}


async def test_what_is_said_and_what_names_documents_holds_no_personal_data() -> None:
    store = memory_store()
    bus = await played(identified(1, "phone", ADA), identified(2, "laptop", ADA, user_id="ada-1815"), store=store)
    records = [r for topic in (MATCHES_PROPOSED, MATCHES_DECIDED) for r in bus.raw(topic.name)]
    assert records
    said = b" ".join((r.value or b"") + (r.key or b"") + repr(r.headers).encode() for r in records).lower()
    names = " ".join(i for kept in (store.blocks, store.counters, store.pairs) for i in kept.documents)  # type: ignore[attr-defined]
    blocks = repr((store.blocks.documents, store.counters.documents, store.pairs.documents)).lower()  # type: ignore[attr-defined]
    for secret in ("byron", "1990", "elm st", "leeds", "ls14ab", "ada-1815"):
        assert secret.encode() not in said.replace(b"19900", b"")
        assert secret not in names.lower()
        assert secret not in blocks
