"""Chapter 3: identity.

People come back on other devices, log in, change their address. Identity keeps a graph from identifiers
(`user_id`, the trait `email`, `anonymous_id`) to persons and stamps on each event whose it is: the `profile_id`.
Whatever follows is about persons. Identity itself knows identifiers only as keyed hashes.

Everybody in this chapter has said yes; what happens otherwise was chapter 2.
"""

from __future__ import annotations

from hashlib import sha256
from uuid import uuid4

import pytest
from assembly import PSEUDONYMS, TENANT, Pipeline
from browsing import Browser
from cdp_contracts.topics import (
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    IDENTITIES_MERGE_REFUSED,
    IDENTITIES_MERGED,
)
from cdp_testkit import Visitor


def people(platform: Pipeline, visitor: Visitor) -> list[str]:
    """Whose each event of a device was, in order, as identity said when it came."""
    prefix = f"{visitor.device}-"
    resolved = [m for m in platform.bus.messages(EVENTS_RESOLVED) if m.message_id.startswith(prefix)]
    return [str(m.profile_id) for m in sorted(resolved, key=lambda m: int(m.message_id.removeprefix(prefix)))]


async def test_a_login_keeps_what_the_device_had(platform: Pipeline) -> None:
    """Nobody had heard of Ada. Her id is put to the person whom the phone belongs to: nothing is merged, and what
    she looked at before she logged in is hers."""
    phone = platform.shop.visitor("phone").consents().views(2).logs_in("ada")
    await platform.shop.play(phone)

    assert len(set(people(platform, phone))) == 1
    assert platform.bus.messages(IDENTITIES_MERGED) == []
    ada = await platform.person(user_id="ada")
    assert ada
    assert ada.joined.counters["Product Viewed"] == 2


async def test_a_login_on_a_second_device_makes_two_persons_one(platform: Pipeline) -> None:
    """Now both devices have a past. The older person survives, the other's id leads to it for ever. The merge is a
    message of its own, with the evidence: which identifiers were seen together, by which event."""
    phone = platform.shop.visitor("phone").consents().views(2).logs_in("ada", plan="pro")
    laptop = platform.shop.visitor("laptop").consents().views(3)
    await platform.shop.play(phone, laptop)
    await platform.shop.play(laptop.logs_in("ada"))

    (merged,) = platform.bus.messages(IDENTITIES_MERGED)
    assert str(merged.profile_id) == people(platform, phone)[0]
    assert str(merged.absorbed) == people(platform, laptop)[0]
    assert (merged.message_id, merged.evidence.rule) == ("laptop-5", "same-event")
    ada = await platform.person(anonymous_id="laptop")
    assert ada
    assert ada.profile_id == str(merged.profile_id)
    assert (ada.joined.counters["Product Viewed"], ada.joined.traits["plan"].value) == (5, "pro")


@pytest.mark.parametrize("written", ["ADA@example.com ", sha256(b"ada@example.com").hexdigest()])
async def test_an_address_joins_too_however_it_is_written(platform: Pipeline, written: str) -> None:
    """The trait `email` is an identifier: in any case, or hashed (SHA-256) by the sender."""
    phone = platform.shop.visitor("phone").consents().sends("identify", traits={"email": "ada@example.com"})
    laptop = platform.shop.visitor("laptop").consents().sends("identify", traits={"email": written})
    await platform.shop.play(phone, laptop)
    assert people(platform, phone)[1] == people(platform, laptop)[1]


async def test_who_lost_a_cookie_is_found_again(platform: Pipeline) -> None:
    """What a script stored is gone after a week, or when she deletes it. With her consent the edge keeps a cookie
    that no script can read: it finds her again under a new `anonymousId`, without a login. Without both she is a
    new visitor, until she says who she is."""
    ada = Browser(platform)
    for _ in range(2):
        await ada.views()
    first = ada.owner()

    await ada.clears_script_storage().views()
    assert ada.owner() == first

    await ada.clears_everything().views()
    assert ada.owner() != first


async def test_an_alias_says_that_two_ids_are_one_person(platform: Pipeline) -> None:
    """For a change of devices that no login shows: `previousId` is the device that the user was on before."""
    kiosk = platform.shop.visitor("kiosk").consents().views()
    ada = platform.shop.visitor("phone").consents().logs_in("ada")
    await platform.shop.play(kiosk, ada)
    await platform.shop.play(ada.was_known_as("kiosk"))

    (merged,) = platform.bus.messages(IDENTITIES_MERGED)
    assert merged.evidence.rule == "alias"
    person = await platform.person(user_id="ada")
    assert person
    assert person.profile_id == people(platform, kiosk)[0]
    assert person.joined.counters["Product Viewed"] == 1


async def test_two_user_ids_are_never_one_person(platform: Pipeline) -> None:
    """Two people share a laptop. What Bob does while he is logged in is Bob's; the laptop itself stays Ada's, who
    was there first. That a limit kept two persons apart is told: its rate is the alarm for merging too much."""
    shared = platform.shop.visitor("shared").consents().logs_in("ada").views().logs_in("bob").views()
    await platform.shop.play(shared)

    consented, logged_in, ada, bob_logged_in, bob = people(platform, shared)
    assert consented == logged_in == ada
    assert bob_logged_in == bob != ada
    assert platform.bus.messages(IDENTITIES_MERGED) == []
    (refused,) = platform.bus.messages(IDENTITIES_MERGE_REFUSED)
    assert (str(refused.profile_id), str(refused.other), refused.limit) == (bob, ada, "user_id:1")


@pytest.mark.parametrize("nobody", ["null", "undefined", "anonymous", "00000000-0000-0000-0000-000000000000"])
async def test_what_stands_for_nobody_is_no_id(platform: Pipeline, nobody: str) -> None:
    """A bug in one app must not make one person of thousands, so the collector refuses such an id at the door."""
    await platform.shop.play(platform.shop.visitor("phone").consents().logs_in(nobody))
    (rejected,) = platform.bus.messages(EVENTS_REJECTED)
    assert (rejected.rule, rejected.pointer) == ("identifier", "/userId")


async def test_events_and_merges_may_overtake_each_other(platform: Pipeline) -> None:
    """Profiles may hear of a merge before or after the events that were resolved before it: what arrives for the
    absorbed id is applied to the survivor. Here one more event of before the merge arrives once all is done."""
    phone = platform.shop.visitor("phone").consents().views().logs_in("ada")
    laptop = platform.shop.visitor("laptop").consents().views()
    await platform.shop.play(phone, laptop)
    await platform.shop.play(laptop.logs_in("ada"))
    before = next(m for m in platform.bus.messages(EVENTS_RESOLVED) if m.message_id == "laptop-2")

    late = before.model_copy(update={"id": uuid4(), "message_id": "late"})
    await platform.bus.publish(EVENTS_RESOLVED, late)
    await platform.bus.drain()

    ada = await platform.person(user_id="ada")
    assert ada
    assert ada.profile_id != str(late.profile_id)
    assert ada.joined.counters["Product Viewed"] == 3


async def test_no_raw_id_is_kept_in_the_graph_or_stands_in_a_key(platform: Pipeline) -> None:
    """Topics are keyed by hashes and profile ids; which identifier attributed an event is told as a hash too."""
    await platform.shop.play(platform.shop.visitor("ada-phone").consents().logs_in("ada-lovelace"))

    assert "ada-" not in repr(vars(platform.graph))
    assert [record for record in platform.records() if b"ada-" in (record.key or b"")] == []
    parts = {message.part for message in platform.bus.messages(EVENTS_RESOLVED)}
    assert parts == {
        PSEUDONYMS.of(TENANT, "anonymous_id", "ada-phone"), PSEUDONYMS.of(TENANT, "user_id", "ada-lovelace"),
    }  # fmt: skip
