"""What becomes of an event is told to whoever asks by its message id: one story an outcome."""

from __future__ import annotations

from typing import Any

import pytest
from assembly import PSEUDONYMS, TENANT, Pipeline
from cdp_contracts.envelope import derived_id
from cdp_contracts.topics import EVENTS_RESOLVED, EVENTS_VALIDATED, IDENTITIES_UNMERGED
from cdp_testkit import Action, Crash
from decisions import parted

PLAN_BROKEN = {"properties": {"revenue": "much"}}


@pytest.fixture
def told(platform: Pipeline) -> Pipeline:
    """The platform with the role that nobody else needs."""
    platform.start_receipts()
    return platform


async def receipt(platform: Pipeline, message_id: str) -> dict[str, Any]:
    async with platform.receipts_desk() as desk:
        answer = await desk.get(f"/v1/receipts/{message_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_view_that_moved_somebody_into_a_segment(told: Pipeline) -> None:
    ada = told.shop.visitor("phone").consents().views(3)
    await told.shop.play(ada)
    found = await receipt(told, ada.last_message_id)
    person = await told.person(anonymous_id="phone")
    assert person
    assert found["outcome"] == "resolved"
    assert found["accepted"]["source"] == "web-shop"
    assert found["accepted"]["received_at"]
    assert found["resolved"] == {
        "profile_id": person.profile_id, "merged_into": None, "unmerged_to": None, "unmerged_at": None
    }  # fmt: skip
    assert ("third-view", True, "event") in {(m["segment"], m["entered"], m["cause"]) for m in found["segments"]}
    assert "third-view" not in {m["segment"] for m in (await receipt(told, "phone-2"))["segments"]}


async def test_a_copy_is_counted_with_the_place_of_the_first(told: Pipeline) -> None:
    ada = told.shop.visitor("phone").consents().views().repeats(2)
    await told.shop.play(ada)
    found = await receipt(told, ada.last_message_id)
    assert found["duplicates"] == {"count": 2, "of": found["accepted"]["place"]}
    assert found["outcome"] == "resolved"


async def test_a_rejected_event_is_told_its_rule(told: Pipeline) -> None:
    ada = told.shop.visitor("phone").consents().does("Order Completed", **PLAN_BROKEN["properties"])
    await told.shop.play(ada)
    found = await receipt(told, ada.last_message_id)
    assert found["outcome"] == "rejected"
    assert found["rejected"]["rule"].startswith("plan-")
    assert found["rejected"]["pointer"].startswith("/properties")


async def test_a_withheld_event_is_told_the_purposes(told: Pipeline) -> None:
    ada = told.shop.visitor("phone").views()
    await told.shop.play(ada)
    found = await receipt(told, ada.last_message_id)
    assert found["outcome"] == "withheld"
    assert found["withheld"]["reason"] == "not-asked"
    assert found["withheld"]["purposes"]


async def test_after_a_merge_it_leads_to_whoever_is_left(told: Pipeline) -> None:
    phone, laptop = (told.shop.visitor(d).consents().views() for d in ("phone", "laptop"))
    await told.shop.play(phone, laptop)
    await told.shop.play(phone.logs_in("ada"), laptop.logs_in("ada"))
    one = await told.person(user_id="ada")
    assert one
    views = [await receipt(told, "phone-2"), await receipt(told, "laptop-2")]
    ends = {found["resolved"]["merged_into"] or found["resolved"]["profile_id"] for found in views}
    assert ends == {one.profile_id}
    assert [found["resolved"]["merged_into"] is not None for found in views].count(True) == 1


async def test_after_an_unmerge_it_leads_to_whom_the_identifier_is_of(told: Pipeline) -> None:
    phone = told.shop.visitor("phone").consents().views()
    await told.shop.play(phone)
    await told.shop.play(phone.logs_in("ada"))
    view, login = told.bus.messages(EVENTS_RESOLVED)[-2:]
    assert (view.profile_id, view.part) == (login.profile_id, PSEUDONYMS.of(TENANT, "anonymous_id", "phone"))
    assert login.part == PSEUDONYMS.of(TENANT, "user_id", "ada")
    now, guest = told.bus.clock.now(), derived_id("guest", "profile")
    await told.bus.publish(IDENTITIES_UNMERGED, parted(view.profile_id, "guest", "phone", now))
    await told.bus.drain()
    found = await receipt(told, view.message_id)
    assert (found["resolved"]["profile_id"], found["resolved"]["merged_into"]) == (str(view.profile_id), None)
    assert found["resolved"]["unmerged_to"] == str(guest)
    assert found["resolved"]["unmerged_at"] == now.isoformat().replace("+00:00", "Z")
    assert (await receipt(told, login.message_id))["resolved"]["unmerged_to"] is None


async def test_what_was_set_aside_is_told_where_and_why(told: Pipeline) -> None:
    broken = b'{"tenant": "demo", "message_id": "m-broken", "id": 7}'
    told.bus.publish_raw(EVENTS_VALIDATED.name, broken)
    await told.bus.drain()
    found = await receipt(told, "m-broken")
    (letter,) = found["dead_letters"]
    assert found["outcome"] == "dead-lettered"
    assert letter["topic"] == EVENTS_VALIDATED.dead_letters("consent")
    assert (letter["service"], letter["stage"]) == ("consent-gate", "guard_events")
    assert letter["reason"]


async def test_an_event_that_is_on_its_way_is_said_to_be(told: Pipeline) -> None:
    (event,) = told.shop.visitor("phone").consents().go_on()
    await told.shop.publish(event)
    told.bus.script = stopped_after_the_validator
    with pytest.raises(Crash):
        await told.bus.drain()
    told.bus.script = None
    found = await receipt(told, "phone-1")
    assert (found["outcome"], found["resolved"]) == ("in-flight", None)
    assert found["accepted"]["place"]


def stopped_after_the_validator(action: Action) -> None:
    if action.group.startswith("consent-gate"):
        raise Crash


async def test_the_trace_of_the_request_is_told(told: Pipeline) -> None:
    trace = "c" * 32
    async with told.edge() as edge:
        await edge.post(
            "/v1/track", json={"event": "Product Viewed", "anonymousId": "phone", "messageId": "m-1"},
            headers={"traceparent": f"00-{trace}-{'d' * 16}-01"},
        )  # fmt: skip
    await told.bus.drain()
    assert (await receipt(told, "m-1"))["trace_id"] == trace


async def test_what_never_came_or_is_gone_is_not_found(told: Pipeline) -> None:
    ada = told.shop.visitor("phone").consents()
    await told.shop.play(ada)
    told.receipts.records.clear()
    told.dedup.forget()
    async with told.receipts_desk() as desk:
        answers = [await desk.get(f"/v1/receipts/{name}") for name in ("never", "phone-1")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert all(answer.json()["retention_seconds"] == 86400 for answer in answers)


async def test_everything_read_again_changes_no_receipt(told: Pipeline) -> None:
    ada = told.shop.visitor("phone").consents().views(4).repeats().logs_in("ada")
    bob = told.shop.visitor("laptop").views().consents().logs_in("ada")
    await told.shop.play(ada, bob)
    before = {key: record for key, (record, _) in told.receipts.records.items()}
    told.bus.redeliver()
    await told.bus.drain()
    assert {key: record for key, (record, _) in told.receipts.records.items()} == before
    assert before


async def test_no_receipt_holds_what_a_person_said(told: Pipeline) -> None:
    ada = told.shop.visitor("canary-device").consents().views(4, note="canary-note")
    ada.sends("identify", traits={"email": "canary@example.com"}, message_id="m-1", user_id="canary-user")
    await told.shop.play(ada.does("Order Completed", revenue="canary-value"))
    assert {tenant for _, tenant, _ in told.receipts.records} == {TENANT}
    texts = [text for record, _ in told.receipts.records.values() for text in record.values()]
    assert texts
    assert [text for text in texts if "canary" in text] == []


async def test_its_own_dead_letters_are_none_of_its_facts(told: Pipeline) -> None:
    told.bus.publish_raw("cdp.events.withheld.v1", b"no message")
    await told.bus.drain()
    (own,) = told.bus.raw("cdp.events.withheld.v1.collector.dlq")
    assert own.value == b"no message"
    assert told.bus.raw("cdp.events.withheld.v1.collector.dlq.collector.dlq") == []
