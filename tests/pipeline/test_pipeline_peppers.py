"""The pepper is changed between two events: nobody becomes somebody else, and no choice is forgotten."""

from __future__ import annotations

from assembly import PSEUDONYMS, TENANT, Pipeline
from cdp_contracts.topics import EVENTS_RESOLVED, EVENTS_VALIDATED, EVENTS_WITHHELD, MATCHES_PROPOSED
from pydantic import JsonValue

NEXT = "the pepper of the year after"


async def test_a_person_goes_on_as_the_same_and_is_found_by_every_identifier(platform: Pipeline) -> None:
    ada = platform.shop.visitor("phone").consents().views(2).logs_in("ada", email="ada@shop.org")
    await platform.shop.play(ada)
    before = await platform.person(user_id="ada")
    platform.change_pepper(NEXT)
    await platform.shop.play(ada.views(2), platform.shop.visitor("laptop").consents().logs_in("ada").views())

    found = [
        await platform.person(**{kind: value})
        for kind, value in (("user_id", "ada"), ("anonymous_id", "phone"), ("anonymous_id", "laptop"))
    ]
    assert before
    assert {person.profile_id if person else None for person in found} == {before.profile_id}
    assert found[0]
    assert found[0].joined.counters["Product Viewed"] == 5
    parts = {m.part for m in platform.bus.messages(EVENTS_RESOLVED) if m.event.user_id == "ada"}
    assert parts == {PSEUDONYMS.of(TENANT, "user_id", "ada")}


async def test_a_withdrawal_from_before_still_holds_and_a_new_choice_lifts_it(platform: Pipeline) -> None:
    ada, bob = platform.shop.visitor("phone"), platform.shop.visitor("tablet")
    await platform.shop.play(ada.consents().views().logs_in("ada").refuses(), bob.consents().views())
    platform.change_pepper(NEXT)
    passed, withheld = (len(platform.bus.messages(topic)) for topic in (EVENTS_RESOLVED, EVENTS_WITHHELD))
    await platform.shop.play(ada.views(3), platform.shop.visitor("laptop").logs_in("ada").views())

    assert len(platform.bus.messages(EVENTS_RESOLVED)) == passed
    assert len(platform.bus.messages(EVENTS_WITHHELD)) == withheld + 5
    assert {m.reason for m in platform.bus.messages(EVENTS_WITHHELD)} == {"withdrawn", "denied"}

    await platform.shop.play(bob.views())
    assert len(platform.bus.messages(EVENTS_RESOLVED)) == passed + 1
    await platform.shop.play(ada.consents().views())
    assert len(platform.bus.messages(EVENTS_RESOLVED)) == passed + 3


async def test_a_device_whose_id_names_nobody_stays_the_same_person(platform: Pipeline) -> None:
    nobody = platform.shop.visitor("xxxxxxxx").consents().views()
    await platform.shop.play(nobody)
    platform.change_pepper(NEXT)
    await platform.shop.play(nobody.views())
    assert len({m.subject for m in platform.bus.messages(EVENTS_VALIDATED)}) == 2
    assert len({m.profile_id for m in platform.bus.messages(EVENTS_RESOLVED)}) == 1


async def test_what_the_matcher_was_told_before_is_still_compared(platform: Pipeline) -> None:
    platform.start_matcher()
    traits: dict[str, JsonValue] = {
        "firstName": "Eleanor", "lastName": "Fairweather", "birthday": "1979-03-14", "phone": "+442079460958",
    }  # fmt: skip
    await platform.shop.play(platform.shop.visitor("phone").consents().sends("identify", traits=traits))
    platform.change_pepper(NEXT)
    traits["phone"] = "+442079460959"
    await platform.shop.play(platform.shop.visitor("laptop").consents().sends("identify", traits=traits))
    (proposed,) = platform.bus.messages(MATCHES_PROPOSED)
    assert proposed.profile_id != proposed.other
