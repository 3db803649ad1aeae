"""The ledger of the whole platform balances after every story, and a message that is dropped shows at its hop."""

from __future__ import annotations

import json
from typing import Any

from assembly import Pipeline
from cdp_cli.conservation import table
from cdp_cli.ledger import HOPS, Row, balance, line_of
from cdp_contracts.events_v1 import EventReceived, EventValidated, EventWithheld
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
    IDENTITIES_UNMERGED,
    PROFILES_UPDATED,
)
from cdp_runtime.batch import Batch, DeadLetter
from cdp_runtime.letters import dead_letter
from cdp_runtime.metrics import IMBALANCE
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Outgoing
from decisions import parted
from unmerging import told_of_unmerges

NAMES = {
    "profiles-writer.absorb_profiles": "profiles-merges", "profiles-writer.part_profiles": "profiles-unmerges",
    "identity-resolver.apply_verdicts": "verdicts", "identity-resolver.part_persons": "unmerges",
    "profiles-writer.keep_computed_traits": "profiles-computed",
}  # fmt: skip


def ledger(platform: Pipeline) -> dict[str, Row]:
    """What `cdp conservation` reads off a broker, read off the bus."""
    names = {name for hop in HOPS for name in (hop.reads.name, *hop.outputs)}
    topics = {name: [line_of(record) for record in platform.bus.raw(name)] for name in names}
    rows = {}
    for hop in HOPS:
        offsets = platform.bus._groups[hop.group].offsets
        committed = {
            partition: offset for (topic, partition), offset in offsets.items() if topic == hop.reads.name
        }
        rows[NAMES.get(hop.group, hop.group.split("-")[0])] = balance(hop, topics, committed)
    return rows


def of(row: Row) -> dict[str, int]:
    """The outcomes that there were."""
    return {outcome: number for outcome, number in row.outcomes.items() if number}


async def play(platform: Pipeline) -> None:
    """A story with every outcome."""
    shop = platform.shop
    ada = shop.visitor("phone").consents().views(3).repeats(2)
    ada.does("Order Completed", revenue="much")
    await shop.play(ada, shop.visitor("silent").views(2), shop.visitor("laptop").consents().views().logs_in("ada"))
    await shop.play(ada.logs_in("ada"))
    nameless = {"type": "page", "anonymousId": "phone", "writeKey": "demo-write-key", "name": "Home"}
    platform.bus.publish_raw(EVENTS_RECEIVED.name, json.dumps(nameless).encode())
    platform.bus.publish_raw(EVENTS_RECEIVED.name, json.dumps({**nameless, "messageId": 7}).encode())
    platform.bus.publish_raw(EVENTS_RECEIVED.name, b"not an event")
    await platform.bus.drain()


def test_every_hop_is_a_group_of_the_platform(platform: Pipeline) -> None:
    assert {hop.group for hop in HOPS} == platform.bus._groups.keys()
    for hop in HOPS:
        stage = platform.bus._groups[hop.group].runner.stage
        assert stage.reads == (hop.reads,)
        assert set(hop.writes) <= set(stage.emits)


async def test_what_follows_from_an_unmerge_is_accounted_for(platform: Pipeline) -> None:
    phone = platform.shop.visitor("phone").consents().views()
    await platform.shop.play(phone)
    await platform.shop.play(phone.logs_in("ada"))
    (kept,) = {event.profile_id for event in platform.bus.messages(EVENTS_RESOLVED)}
    now = platform.bus.clock.now()
    await platform.bus.publish(IDENTITIES_UNMERGED, parted(kept, "guest", "phone", now))
    await platform.bus.publish(IDENTITIES_UNMERGED, parted(kept, "stranger", "unheard-of", now, 2))
    await platform.bus.drain()
    rows = ledger(platform)
    assert of(rows["profiles-unmerges"]) == {"out": 2}
    assert of(rows["profiles"]) == {"out": len(platform.bus.messages(EVENTS_RESOLVED))}
    assert of(rows["segments"]) == {"out": len(platform.bus.messages(PROFILES_UPDATED))}


async def test_every_outcome_has_its_column_and_nothing_is_lost(platform: Pipeline) -> None:
    await play(platform)
    rows = ledger(platform)
    assert of(rows["collector"]) == {"out": 11, "rejected": 2, "duplicates": 2, "dead-lettered": 1}
    assert of(rows["consent"]) == {"out": 9, "withheld": 2}
    assert of(rows["identity"]) == {"out": 9}
    assert of(rows["profiles"]) == {"out": 9}
    assert of(rows["profiles-merges"]) == {"out": 1}
    assert of(rows["segments"]) == {"out": 10}
    assert all(row.read == sum(row.outcomes.values()) for row in rows.values())
    *_, verdict = table(list(rows.values()))
    assert verdict == "it balances"


async def test_unmerges_are_in_the_ledger_too(platform: Pipeline) -> None:
    await told_of_unmerges(platform)
    rows = ledger(platform)
    assert of(rows["unmerges"]) == {"out": 2, "dead-lettered": 1}
    assert of(rows["profiles-unmerges"]) == {"out": 2}
    assert all(row.balanced for row in rows.values())


async def test_what_was_handled_twice_still_balances(platform: Pipeline) -> None:
    await play(platform)
    before = of(ledger(platform)["collector"])
    platform.bus.redeliver()
    await platform.bus.drain()
    rows = ledger(platform)
    assert of(rows["collector"]) == before
    assert all(row.balanced for row in rows.values())


async def test_a_letter_that_was_put_back_is_counted_once_as_a_letter_and_once_as_what_became_of_it(
    platform: Pipeline,
) -> None:
    await play(platform)
    first = platform.bus.raw(EVENTS_VALIDATED.name)[0]
    letter = DeadLetter(first, "refused")
    topic = EVENTS_VALIDATED.dead_letters("consent")
    platform.bus.write(dead_letter(letter, topic=topic, role="consent-gate", stage="s", now=first.timestamp))
    (kept,) = platform.bus.raw(topic)
    platform.bus.write(Outgoing(EVENTS_VALIDATED.name, first.key, first.value, kept.headers))
    await platform.bus.drain()
    row = ledger(platform)["consent"]
    assert of(row) == {"out": 9, "withheld": 2, "dead-lettered": 1}


async def test_what_nobody_has_read_yet_is_in_flight(platform: Pipeline) -> None:
    for step in platform.shop.visitor("phone").consents().views(2).go_on():
        assert isinstance(step, EventReceived)
        await platform.shop.publish(step)
    assert of(ledger(platform)["collector"]) == {"in flight": 3}


async def forget_one(batch: Batch[EventValidated], *uses: Any) -> None:
    """A gate that withholds everything and forgets an event."""
    for event in batch:
        if event.message_id != "phone-2":
            said = event.model_dump() | {"purposes": ("analytics",), "reason": "denied"}
            batch.emit(EventWithheld.model_validate(said), cause=event)


async def test_a_message_that_a_handler_drops_is_found_by_the_gauge_and_by_the_ledger(platform: Pipeline) -> None:
    gate = Stage(forget_one, reads=EVENTS_VALIDATED, emits=[EVENTS_PERMITTED, EVENTS_WITHHELD])
    gate.name = "guard_events"
    platform.bus.attach("consent-gate", [gate])
    gauge = IMBALANCE.labels("consent-gate", "guard_events")
    before = gauge._value.get()
    await platform.shop.play(platform.shop.visitor("phone").consents().views(3))
    rows = ledger(platform)
    assert gauge._value.get() - before == 1
    assert of(rows["consent"]) == {"withheld": 3, "lost": 1}
    assert all(row.balanced for name, row in rows.items() if name != "consent")
    *_, place, verdict = table(list(rows.values()))
    assert place.startswith("lost: cdp.events.validated.v1 ")
    assert place.endswith(", read by consent-gate.guard_events")
    assert "phone" not in place
    assert verdict == "it does not balance"
