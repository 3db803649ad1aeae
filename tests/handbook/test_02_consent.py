"""Chapter 2: consent.

The gate stands right behind the collector. It knows what each person chose and lets an event pass only if every
purpose that the policy requires is allowed. Whatever is missing, broken or unknown counts against the event: it
fails closed. Policies are files; the one used here is infra/definitions/policies/default.yaml, which requires
`analytics`, asks for a yes in the EU, where this shop is, and for nothing but the absence of a no in California.
"""

from __future__ import annotations

from typing import Any

import pytest
from assembly import Pipeline
from cdp_consent.store import ConsentStore
from cdp_consent.verify import Report, walk
from cdp_contracts.topics import EVENTS_PERMITTED, EVENTS_RESOLVED, EVENTS_WITHHELD

YES = {"consent": {"categoryPreferences": {"Analytics": True}}}
CALIFORNIA = {"location": {"country": "US", "region": "CA"}}


def passed(platform: Pipeline) -> list[str]:
    """What went through the gate, by message id."""
    return sorted(message.message_id for message in platform.bus.messages(EVENTS_PERMITTED))


def withheld(platform: Pipeline) -> dict[str, str]:
    """What did not, and why."""
    return {message.message_id: message.reason for message in platform.bus.messages(EVENTS_WITHHELD)}


async def test_who_was_not_asked_is_not_tracked(platform: Pipeline) -> None:
    """What stops here goes no further, and leaves nothing personal behind: of the event only its id, the purposes
    that were missing and a code for the reason are told."""
    await platform.shop.play(platform.shop.visitor("phone").views(sku="secret-sku"))

    (stopped,) = platform.bus.messages(EVENTS_WITHHELD)
    assert (stopped.message_id, stopped.purposes, stopped.reason) == ("phone-1", ("analytics",), "not-asked")
    assert "secret-sku" not in stopped.model_dump_json()
    assert platform.bus.messages(EVENTS_RESOLVED) == []


async def test_a_yes_opens_the_gate_for_what_comes_after_it(platform: Pipeline) -> None:
    """The choice itself is an event. It comes in the same stream as the rest, so the order is that of the person's
    life: what was withheld before the yes stays withheld."""
    await platform.shop.play(platform.shop.visitor("phone").views().consents().views())
    assert withheld(platform) == {"phone-1": "not-asked"}
    assert passed(platform) == ["phone-2", "phone-3"]


async def test_a_no_closes_it_again(platform: Pipeline) -> None:
    """And a withdrawal holds for everything that is decided after it, a replay of the past included."""
    ada = platform.shop.visitor("phone").consents().views()
    await platform.shop.play(ada)
    await platform.shop.play(ada.withdraws().views())
    assert withheld(platform) == {"phone-3": "withdrawn", "phone-4": "withdrawn"}

    platform.bus.redeliver()
    await platform.bus.drain()
    assert withheld(platform)["phone-2"] == "withdrawn"


async def test_a_choice_may_come_with_every_event(platform: Pipeline) -> None:
    """Segment's libraries stamp what the banner knows on each event, and so need no event for the choice."""
    visitor = platform.shop.visitor("phone").sends("track", event="Product Viewed", context=YES).views()
    await platform.shop.play(visitor)
    assert passed(platform) == ["phone-1", "phone-2"]


async def test_a_no_on_one_device_holds_on_the_others(platform: Pipeline) -> None:
    """A choice stands for every id of its event; of all that stands for an event's ids, the most restrictive
    counts. The laptop said yes, but its user says no on the phone: `denied`, for as a user she never said yes."""
    phone = platform.shop.visitor("phone").consents().logs_in("ada")
    laptop = platform.shop.visitor("laptop").consents().views().logs_in("ada")
    await platform.shop.play(phone, laptop)
    assert withheld(platform) == {}

    await platform.shop.play(phone.refuses(), laptop.views())
    assert withheld(platform) == {"phone-3": "withdrawn", "laptop-4": "denied"}


async def test_the_browser_may_say_no_for_its_person(platform: Pipeline) -> None:
    """`Sec-GPC: 1` beats an earlier yes where the policy honours it for the purpose, as it does in the EU here."""
    await platform.shop.play(platform.shop.visitor("phone").consents())
    view = {"event": "Product Viewed", "anonymousId": "phone", "messageId": "browser", "context": YES}
    async with platform.edge() as edge:
        await edge.post("/v1/track", json=view, headers={"Sec-GPC": "1"})
    await platform.bus.drain()
    assert withheld(platform) == {"browser": "gpc"}


async def test_the_place_decides_what_silence_means(platform: Pipeline) -> None:
    """In California nobody has to be asked first. A place that nobody knows is the strictest one."""
    near = platform.shop.visitor("near").sends("track", event="Product Viewed", context=CALIFORNIA)
    nowhere = {"location": {"country": "XX"}}
    far = platform.shop.visitor("far").sends("track", event="Product Viewed", context=nowhere)
    await platform.shop.play(near, far)
    assert passed(platform) == ["near-1"]
    assert withheld(platform) == {"far-1": "not-asked"}


@pytest.mark.parametrize(
    "broken", ["yes", [], {"categoryPreferences": "all"}, {"categoryPreferences": {"Analytics": "true"}}]
)
async def test_a_choice_that_cannot_be_read_is_no_yes_and_no_silence(platform: Pipeline, broken: Any) -> None:
    """Not even in California: somebody chose something, so silence is no longer what to go by."""
    context = {**CALIFORNIA, "consent": broken}
    await platform.shop.play(platform.shop.visitor("phone").sends("track", event="x", context=context))
    assert withheld(platform) == {"phone-1": "unparsable"}


async def test_the_decision_travels_with_the_event(platform: Pipeline) -> None:
    """Whoever uses an event later sees for what it may be used, why, and by which version of which policy."""
    await platform.shop.play(platform.shop.visitor("phone").consents(Analytics=True, Advertising=False))

    (permitted,) = platform.bus.messages(EVENTS_PERMITTED)
    assert permitted.decision.purposes == ("analytics",)
    assert permitted.decision.basis["analytics"] == "granted"
    assert permitted.decision.basis["marketing"] == "denied"
    assert (permitted.decision.policy, permitted.decision.policy_version) == ("default", 1)
    assert platform.updates()[0].purposes == ("analytics",)


async def test_what_was_chosen_can_be_proved(platform: Pipeline) -> None:
    """Each choice is an entry in a chain, sealed with the hash of the one before it. Whoever changes, drops or
    moves an entry breaks the chain: `python -m cdp_consent.verify` walks all of them. No raw id is in there."""
    await platform.shop.play(platform.shop.visitor("phone").consents().withdraws().consents())
    store = ConsentStore(platform.subjects, platform.ledger)
    assert await walk(store) == Report(subjects=1, entries=3)
    assert "'phone'" not in repr(platform.subjects.documents) + repr(platform.ledger.documents)

    ((subject, entries),) = [chain async for chain in store.chains()]
    assert [entry.states["analytics"] for entry in entries] == ["granted", "withdrawn", "granted"]
    platform.subjects.documents[subject.id]["tail"][1]["states"] = [["analytics", "granted"]]
    report = await walk(store)
    assert (report.first_broken, report.seq) == (subject.id, 2)
