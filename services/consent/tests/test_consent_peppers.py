"""A new pepper: what was chosen under the old one holds, and is taken back by the same person alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cdp_consent.app import build_gate
from cdp_consent.domain.decision import Withheld
from cdp_consent.domain.gate import ids_of, judge
from cdp_consent.domain.ledger import verify
from cdp_consent.settings import Settings
from cdp_consent.store import ConsentStore, MemoryConsentStore, MongoConsentStore
from cdp_contracts.events_v1 import EventValidated
from cdp_runtime.peppers import note_pepper
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import MongoSettings, PrivacySettings
from consent_builders import NOON, book, consent, event
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from test_consent_gate import streams

OLD, NEW = b"the pepper of last year", b"the pepper of this year"
BEFORE, AFTER, BACK = Pseudonymizer(OLD), Pseudonymizer(NEW, [OLD]), Pseudonymizer(OLD, [NEW])
YES, NO = {"Analytics": True}, {"Analytics": False}


async def decided(store: ConsentStore, pseudonyms: Pseudonymizer, *events: EventValidated) -> list[str]:
    """What became of a batch: `granted` or `default`, else the reason."""
    batch = [(e, ids_of(e, pseudonyms)) for e in events]
    known = await store.load(i for _, ids in batch for i in ids.all)
    verdicts = judge(batch, known, book(), NOON)
    await store.save(known)
    return [v.reason if isinstance(v, Withheld) else v.decision.basis["analytics"] for _, v in verdicts]


def of(pseudonyms: Pseudonymizer, kind: str, value: str) -> str:
    return pseudonyms.of("demo", kind, value)


async def test_a_withdrawal_under_the_old_pepper_still_holds_under_the_new_one() -> None:
    store = MemoryConsentStore()
    await decided(store, BEFORE, consent("1", 1, user="ann", choices=YES, place="BR"))
    await decided(store, BEFORE, consent("2", 2, user="ann", choices=NO, place="BR"))
    later = event("3", 3, user="ann", place="BR"), event("4", 4, device="laptop", user="ann", place="BR")
    assert await decided(store, AFTER, *later) == ["withdrawn", "withdrawn"]


async def test_the_newest_choice_wins_and_goes_on_with_the_same_chain() -> None:
    store = MemoryConsentStore()
    await decided(store, BEFORE, consent("1", 1, device=None, user="ann", choices=NO))
    assert await decided(store, AFTER, consent("2", 2, device=None, user="ann", choices=YES)) == ["granted"]
    subject, entries = await store.chain(of(BEFORE, "user_id", "ann"))
    assert [entry.seq for entry in entries] == [1, 2]
    assert verify(entries, subject) is None
    assert (await store.chain(of(AFTER, "user_id", "ann")))[1] == []


async def test_who_is_new_is_known_by_the_new_pepper_and_found_after_a_change_back() -> None:
    store = MemoryConsentStore()
    await decided(store, AFTER, consent("1", 1, device=None, user="ann", choices=NO, place="BR"))
    assert len((await store.chain(of(AFTER, "user_id", "ann")))[1]) == 1
    assert (await store.chain(of(BEFORE, "user_id", "ann")))[1] == []
    assert await decided(store, BACK, event("2", 2, device=None, user="ann", place="BR")) == ["denied"]


async def test_who_is_stored_under_both_is_held_to_the_stricter_and_heard_by_both() -> None:
    """As when two gates with different peppers met somebody new at the same moment."""
    store = MemoryConsentStore()
    await decided(store, BEFORE, consent("1", 1, device=None, user="ann", choices=NO))
    await decided(store, Pseudonymizer(NEW), consent("2", 2, device=None, user="ann", choices=YES))
    assert await decided(store, AFTER, event("3", 3, device=None, user="ann")) == ["denied"]
    assert await decided(store, AFTER, consent("4", 4, device=None, user="ann", choices=YES)) == ["granted"]
    for pseudonyms in (BEFORE, AFTER):
        subject, _ = await store.chain(of(pseudonyms, "user_id", "ann"))
        assert subject.choices.snapshot()["analytics"] == "granted"


async def test_an_alias_is_held_to_what_the_previous_id_chose_before() -> None:
    store = MemoryConsentStore()
    await decided(store, BEFORE, consent("1", 1, device="old-phone", choices=NO, place="BR"))
    alias = event("2", 2, user="ann", device=None, previous="old-phone", kind="alias", place="BR")
    assert await decided(store, AFTER, alias) == ["denied"]


@settings(deadline=None)
@given(streams(), st.data())
async def test_wherever_the_pepper_is_changed_events_are_decided_as_if_it_had_not_been(
    said: list[EventValidated], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(said)))
    once, changed = MemoryConsentStore(), MemoryConsentStore()
    alone = [await decided(once, BEFORE, each) for each in said]
    assert alone == [await decided(changed, BEFORE if n < cut else AFTER, e) for n, e in enumerate(said)]


@pytest.mark.wire
async def test_a_gate_that_was_not_given_a_former_pepper_waits_and_says_so(
    mongo_settings: MongoSettings, mongo_store: MongoConsentStore, caplog: pytest.LogCaptureFixture
) -> None:
    await note_pepper(mongo_store.database, BEFORE)
    gate = build_gate(Settings(mongo=mongo_settings, privacy=PrivacySettings(pepper=SecretStr(NEW.decode()))))
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "lifespan.startup"})

    async def send(_: Any) -> None:
        """Nobody listens."""

    running = asyncio.create_task(gate({"type": "lifespan"}, messages.get, send))
    async with asyncio.timeout(20):
        while BEFORE.version not in caplog.text:
            await asyncio.sleep(0.05)
    assert "CDP_FORMER_PEPPERS" in caplog.text
    assert not gate.state.started
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
