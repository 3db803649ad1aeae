"""Cookies get lost, and browsers are shared: who is found again by what, and who never becomes whom."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import pytest
from assembly import PSEUDONYMS, TENANT, Pipeline
from browsing import Browser
from cdp_contracts.topics import (
    EVENTS_WITHHELD,
    IDENTITIES_MERGED,
    MATCHES_DECIDED,
    MATCHES_PROPOSED,
)
from cdp_profiles.domain.profile import Profile

ADDRESS: Final = "ada@example.com"
FINGERPRINT: Final = "5f0a-canvas-of-a-common-telephone"


async def known_as(platform: Pipeline, **identifier: str) -> Profile:
    found = await platform.person(**identifier)
    assert found
    return found


async def test_by_a_login(platform: Pipeline) -> None:
    """(a) Everything was deleted, and she is a stranger until she says who she is."""
    ada = Browser(platform)
    await ada.views()
    await ada.logs_in("ada")
    first = ada.owner()

    ada.clears_everything()
    stranger = await ada.views()
    assert stranger
    assert stranger.profile_id != first
    await ada.logs_in("ada")

    assert ada.owner() == first
    assert len(platform.bus.messages(IDENTITIES_MERGED)) == 1
    assert (await known_as(platform, user_id="ada")).joined.counters["Product Viewed"] == 2


@pytest.mark.parametrize("way", ["external id", "trait"])
async def test_by_a_hashed_address(platform: Pipeline, way: str) -> None:
    """(b) A letter's link carries the SHA-256 of her address, in Segment's shape or as the trait."""
    ada = Browser(platform)
    await ada.says(email=ADDRESS.upper())
    first = ada.owner()

    ada.clears_everything()
    hashed = sha256(ADDRESS.encode()).hexdigest()
    if way == "trait":
        await ada.says(email=hashed)
    else:
        await ada.views(context={"externalIds": [{"type": "email", "encoding": "sha256", "id": hashed}]})

    assert ada.owner() == first
    if way == "external id":
        told = (await known_as(platform, email=ADDRESS)).joined.traits
        assert told["email"].value == ADDRESS.upper(), "what she told stays what it was"


async def test_by_the_edges_cookie_alone(platform: Pipeline) -> None:
    """(c) The script's id is gone after a week, as some browsers want it; the server's cookie is not."""
    ada = Browser(platform)
    for _ in range(2):
        await ada.views()
    first = ada.owner()
    for _ in range(3):
        ada.clears_script_storage()
        again = await ada.views()
        assert again
        assert again.profile_id == first
        assert again.event.user_id is None

    assert len(set(ada.ids)) == 4
    assert platform.bus.messages(IDENTITIES_MERGED) == [], "nobody had to be merged: a new id was put to her"
    assert (await known_as(platform, anonymous_id=ada.script_id)).joined.counters["Product Viewed"] == 5


async def test_deleting_everything_makes_a_new_visitor(platform: Pipeline) -> None:
    ada = Browser(platform)
    for _ in range(2):
        await ada.views()
    first, cookie = ada.owner(), ada.cookies
    ada.clears_everything()
    for _ in range(2):
        await ada.views()
    assert ada.owner() != first
    assert ada.cookies.keys() == cookie.keys()
    assert ada.cookies != cookie


async def test_a_private_window_is_another_visitor(platform: Pipeline) -> None:
    ada, private = Browser(platform), Browser(platform)
    for window in (ada, private):
        for _ in range(2):
            await window.views()
    assert ada.owner() != private.owner()
    await ada.logs_in("ada")
    assert ada.owner() != private.owner()


async def test_two_who_share_a_browser_stay_two(platform: Pipeline) -> None:
    """The cookie stays when the script forgets; it joins nobody to somebody who logged in as another."""
    shared = Browser(platform)
    await shared.views()
    await shared.logs_in("ada", email=ADDRESS)
    ada = shared.owner()
    shared.clears_script_storage()
    bob = await shared.logs_in("bob", email="bob@example.com")
    assert bob
    assert bob.profile_id != ada

    shared.clears_script_storage()
    nobody = await shared.views()
    again = await shared.logs_in("ada")
    assert nobody
    assert again
    assert nobody.profile_id not in (ada, bob.profile_id), "by now the cookie is known to be shared"
    assert again.profile_id == ada

    assert platform.whose(PSEUDONYMS.of(TENANT, "user_id", "ada")) == ada
    assert platform.whose(PSEUDONYMS.of(TENANT, "user_id", "bob")) == bob.profile_id
    for user in ("ada", "bob"):
        people = {
            i.value for i in (await known_as(platform, user_id=user)).joined.identifiers if i.kind == "user_id"
        }
        assert people == {user}


async def test_until_a_second_login_who_browses_is_taken_for_the_first(platform: Pipeline) -> None:
    """That is what the cookie costs: Bob looked around before he said who he is. He becomes no part of Ada."""
    shared = Browser(platform)
    await shared.views()
    await shared.logs_in("ada")
    ada = shared.owner()
    before = await shared.clears_script_storage().views()
    assert before
    assert before.profile_id == ada

    bob = await shared.logs_in("bob")
    after = await shared.views()
    assert bob
    assert after
    assert ada != bob.profile_id == after.profile_id
    users = (await known_as(platform, user_id="ada")).joined.identifiers
    assert {each.value for each in users if each.kind == "user_id"} == {"ada"}

    stranger = await shared.clears_script_storage().views()
    assert stranger
    assert stranger.profile_id not in (ada, bob.profile_id)


async def test_who_refuses_it_is_not_found_again_by_it(platform: Pipeline) -> None:
    ada = Browser(platform)
    for _ in range(2):
        await ada.views()
    first = ada.owner()
    ada.answers["Functional"] = False
    refused = await ada.views()
    assert ada.cookies == {}
    assert refused, "without the cookie the event passes all the same"
    assert (refused.profile_id, refused.event.first_party_id) == (first, None)

    ada.clears_script_storage()
    await ada.views()
    assert ada.owner() != first


async def test_a_withdrawal_is_remembered_though_the_script_forgot_it(platform: Pipeline) -> None:
    """Where silence would allow it, the no that the cookie heard stands when the script's id is gone."""
    ada = Browser(platform, location={"country": "US", "region": "CA"})
    for _ in range(2):
        assert await ada.views()
    ada.answers["Analytics"] = False
    assert await ada.views() is None

    ada.clears_script_storage().answers = {"Functional": True}
    assert await ada.views() is None
    assert [message.reason for message in platform.bus.messages(EVENTS_WITHHELD)] == ["withdrawn"] * 2
    assert await Browser(platform, location={"country": "US", "region": "CA"}).views()


@pytest.mark.parametrize("kind", ["cookie", "ga_client_id"])
async def test_nobody_takes_anothers_cookie_by_saying_so(platform: Pipeline, kind: str) -> None:
    """Not even who has learned the id: the edge gives it, and no field of a body does."""
    ada = Browser(platform)
    for _ in range(2):
        seen = await ada.views()
    assert seen
    stolen = seen.event.first_party_id
    assert stolen

    thief = Browser(platform)
    said: dict[str, Any] = {"first_party_id": stolen, "edge": {"first_party_id": stolen}}
    claim = [{"type": kind, "id": value} for value in (stolen, stolen.upper(), f" {stolen}")]
    for _ in range(2):
        await thief.views(**said, context={"externalIds": claim, **said})
    assert thief.owner() != ada.owner()


async def test_an_unsigned_cookie_is_worth_nothing(platform: Pipeline) -> None:
    ada, thief = Browser(platform), Browser(platform)
    for _ in range(2):
        await ada.views()
    ((name, token),) = ada.cookies.items()
    thief.edge.cookies.set(name, token[:-1] + ("0" if token[-1] != "0" else "1"), domain="events.shop.example")
    for _ in range(2):
        await thief.views()
    assert thief.owner() != ada.owner()


async def test_the_id_is_kept_nowhere_but_on_events(platform: Pipeline) -> None:
    """Personal topics hold it, and profiles do not; everybody else knows it as a keyed hash."""
    ada = Browser(platform)
    for _ in range(2):
        seen = await ada.views()
    assert seen
    assert seen.event.first_party_id
    secrets = [seen.event.first_party_id, *ada.cookies.values()]
    told = [repr((record.key, record.headers)) for record in platform.records()]
    told += [repr(platform.state()), *(span.to_json() for span in platform.spans.get_finished_spans())]
    assert [secret for secret in secrets if any(secret.split(":")[-1] in text for text in told)] == []


async def test_an_event_says_in_which_visit_it_was(platform: Pipeline) -> None:
    ada = Browser(platform)
    visits = []
    for minutes in (0, 0, 29, 30, 1):
        await platform.shop.wait(minutes * 60)
        seen = await ada.views()
        assert seen
        visits.append(seen.event.context.get("sessionId"))
    assert visits[0] is None, "the cookie has only been given"
    assert visits[1] == visits[2] != visits[3] == visits[4]
    assert None not in visits[1:]


async def test_two_people_behind_one_fingerprint_never_meet(platform: Pipeline) -> None:
    """Not in the graph and not in the review queue, though the matcher may decide unasked here."""
    platform.start_matcher()
    device = {"device": {"type": "phone", "fingerprint": FINGERPRINT}}
    ada, bob, nobody = (Browser(platform, **device) for _ in range(3))
    for browser, traits in (
        (ada, {"firstName": "Ada", "lastName": "Byron", "email": ADDRESS}),
        (bob, {"firstName": "Bob", "lastName": "Stone", "email": "bob@example.com"}),
        (nobody, {}),
    ):
        for _ in range(2):
            seen = await browser.says(**traits)
        assert seen
        assert seen.event.context["device"]["fingerprint"] == PSEUDONYMS.of(TENANT, "fingerprint", FINGERPRINT)
    assert len({browser.owner() for browser in (ada, bob, nobody)}) == 3
    assert platform.bus.messages(MATCHES_PROPOSED) == platform.bus.messages(MATCHES_DECIDED) == []
    assert FINGERPRINT not in repr(platform.state())


async def test_a_fingerprint_may_get_two_profiles_looked_at(platform: Pipeline) -> None:
    """Beside other evidence. It is a person who then decides."""
    platform.start_matcher()
    told = {"firstName": "Ada", "occupation": "printer"}
    for device in ({}, {"fingerprint": FINGERPRINT}):
        proposed = len(platform.bus.messages(MATCHES_PROPOSED))
        for _ in range(2):
            await Browser(platform, device=device).says(**told)
        news = platform.bus.messages(MATCHES_PROPOSED)[proposed:]
        assert {message.band for message in news} == ({"review"} if device else set())
    assert platform.bus.messages(MATCHES_DECIDED) == []
