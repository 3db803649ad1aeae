"""One suite for the store, in memory and on MongoDB's wire; stopped after every write, and tampered with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace

import pytest
from cdp_consent.domain.choices import Signal
from cdp_consent.domain.ledger import Break, Entry, Provenance, verify
from cdp_consent.store import ConsentStore, MemoryConsentStore, SubjectRecord, document_of, entry_in
from cdp_consent.verify import Report, walk
from cdp_runtime.failures import Conflict
from consent_builders import at, signal

ANN, BOB, CLEO = ("a" * 32, "b" * 32, "c" * 32)
PROVENANCE = Provenance("consent-event", "default", 1, "EU", at(0))


async def hear(store: ConsentStore, subject: str, *signals: Signal) -> None:
    """Load, hear, save."""
    records = await store.load([subject])
    tell(records[subject], *signals)
    await store.save(records)


def tell(record: SubjectRecord, *signals: Signal) -> None:
    """Make the record hear the signals."""
    for each in signals:
        record.subject = record.subject.heard("demo", each, PROVENANCE)
    record.touch()


async def seqs(store: ConsentStore, subject: str) -> list[int]:
    """The entries of a chain that holds."""
    found, entries = await store.chain(subject)
    assert verify(entries, found) is None
    return [entry.seq for entry in entries]


def yes(n: int) -> Signal:
    """The n-th choice: for and against in turn, so that each changes what stands."""
    return signal(f"m{n}", n, analytics=n % 2 == 0, **{"marketing.e-mail": n % 2 == 1})


async def test_an_id_of_which_nothing_is_known_comes_blank(store: ConsentStore) -> None:
    records = await store.load([ANN, BOB, ANN])
    assert [(r.id, r.subject.seq, r.subject.choices.snapshot()) for r in records.values()] == [
        (ANN, 0, {}), (BOB, 0, {}),
    ]  # fmt: skip


async def test_a_subject_comes_back_as_it_was_saved(store: ConsentStore) -> None:
    records = await store.load([ANN])
    tell(
        records[ANN],
        signal("1", 1.000001, analytics=True, gpc=("marketing.e-mail",)),
        signal("2", 2, unreadable=True),
    )
    records[ANN].remember("m", at(0), ["2026-01-05T12:00:00Z", {"purposes": ["analytics"], "reason": "denied"}])
    await store.save(records)
    again = (await store.load([ANN]))[ANN]
    assert again.subject == replace(records[ANN].subject, appended=())
    assert again.tail == records[ANN].subject.appended
    assert again.outcome("m") == ["2026-01-05T12:00:00Z", {"purposes": ["analytics"], "reason": "denied"}]


async def test_a_chain_is_whole_after_every_save(store: ConsentStore) -> None:
    for n in range(5):
        await hear(store, ANN, yes(n))
        assert await seqs(store, ANN) == list(range(1, n + 2))


async def test_several_choices_may_be_saved_at_once(store: ConsentStore) -> None:
    await hear(store, ANN, yes(0), yes(1), yes(2))
    await hear(store, ANN, yes(3), yes(4))
    assert await seqs(store, ANN) == [1, 2, 3, 4, 5]


async def test_a_save_without_a_choice_keeps_the_newest_entries(store: ConsentStore) -> None:
    await hear(store, ANN, yes(0))
    await hear(store, ANN)
    assert await seqs(store, ANN) == [1]


async def test_what_did_not_change_is_not_written(store: ConsentStore) -> None:
    records = await store.load([ANN])
    await store.save(records)
    assert [subject async for subject, _ in store.chains()] == []


async def test_of_two_writers_one_loses_and_the_chain_knows_only_the_other(store: ConsentStore) -> None:
    await hear(store, ANN, yes(0))
    one, two = await store.load([ANN]), await store.load([ANN])
    tell(one[ANN], yes(1))
    tell(two[ANN], signal("other", 9, analytics=False))
    await store.save(one)
    with pytest.raises(Conflict):
        await store.save(two)
    assert await seqs(store, ANN) == [1, 2]
    assert (await store.chain(ANN))[1][-1].message_id == "m1"
    await hear(store, ANN, yes(2))
    assert await seqs(store, ANN) == [1, 2, 3]


async def test_the_ledger_takes_an_entry_once_and_never_overwrites(store: ConsentStore) -> None:
    await hear(store, ANN, yes(0))
    _, [entry] = await store.chain(ANN)
    await store.ledger.add([entry])
    await store.ledger.add([replace(entry, jurisdiction="US-CA"), replace(entry, seq=2)])
    assert [e async for e in store.ledger.entries(ANN)] == [entry, replace(entry, seq=2)]


async def test_chains_come_in_order_with_and_without_their_state(store: ConsentStore) -> None:
    for subject in (CLEO, ANN):
        await hear(store, subject, yes(0))
        await hear(store, subject, yes(1))
    _, entries = await store.chain(ANN)
    await store.ledger.add([replace(entries[0], subject=s) for s in (BOB, "d" * 32, "0" * 32)])
    found = {subject.id: len(entries) async for subject, entries in store.chains()}
    assert found == {"0" * 32: 1, ANN: 2, BOB: 1, CLEO: 2, "d" * 32: 1}
    assert list(found) == sorted(found)
    report = await walk(store)
    assert report == Report(5, 7, broken=3, first_broken="0" * 32, seq=1, rule="foreign") or report.broken == 3


async def test_an_entry_survives_its_document(store: ConsentStore) -> None:
    await hear(store, ANN, signal("1", 1.234567, gpc=("a.b", "$c")), signal("2", 2, unreadable=True))
    _, entries = await store.chain(ANN)
    assert [entry_in(document_of(entry)) for entry in entries] == entries


async def test_a_walk_counts_and_names_the_first_broken_one(store: ConsentStore) -> None:
    for subject in (ANN, BOB):
        for n in range(3):
            await hear(store, subject, yes(n))
    assert await walk(store) == Report(2, 6)
    _, entries = await store.chain(ANN)
    await store.ledger.add([replace(entries[0], subject=CLEO).sealed()])
    assert await walk(store) == Report(3, 7, 1, CLEO, 2, "head-differs")


class Stopped(BaseException):
    """The process ended here."""


class Fragile(ConsentStore):
    """A store whose process ends after so many writes."""

    def __init__(self, store: ConsentStore, writes: int) -> None:
        super().__init__(FragileSubjects(store, self), FragileLedger(store, self))
        self.left = writes

    def written(self) -> None:
        """One write is done."""
        self.left -= 1
        if self.left == 0:
            raise Stopped


class FragileSubjects:
    """The records of a fragile store."""

    def __init__(self, store: ConsentStore, owner: Fragile) -> None:
        self._subjects, self._owner = store.subjects, owner

    async def load(self, ids: Iterable[str]) -> dict[str, SubjectRecord]:
        return await self._subjects.load(ids)

    async def save(self, records: Mapping[str, SubjectRecord]) -> None:
        await self._subjects.save(records)
        self._owner.written()

    async def ping(self) -> None:
        await self._subjects.ping()

    def all(self) -> AsyncIterator[SubjectRecord]:
        return self._subjects.all()


class FragileLedger:
    """The ledger of a fragile store."""

    def __init__(self, store: ConsentStore, owner: Fragile) -> None:
        self._ledger, self._owner = store.ledger, owner

    async def add(self, entries: Iterable[Entry]) -> None:
        await self._ledger.add(entries)
        self._owner.written()

    def entries(self, subject: str | None = None) -> AsyncIterator[Entry]:
        return self._ledger.entries(subject)


@pytest.mark.parametrize("writes", range(1, 8))
async def test_stopped_after_any_write_and_done_again_the_chain_is_the_same(
    store: ConsentStore, writes: int
) -> None:
    """Four choices in a row, each in a batch that is repeated from its load if the process ended within."""
    fragile = Fragile(store, writes)
    for n in range(4):
        try:
            await hear_once(fragile, n)
        except Stopped:
            assert await seqs(store, ANN) == list(range(1, len(await seqs(store, ANN)) + 1))
            await hear_once(store, n)
    calm = MemoryConsentStore()
    for n in range(4):
        await hear_once(calm, n)
    assert await store.chain(ANN) == await calm.chain(ANN)
    assert await walk(store) == Report(1, 4)


async def hear_once(store: ConsentStore, n: int) -> None:
    """What a redelivered batch does: a choice heard before changes nothing."""
    records = await store.load([ANN])
    before = records[ANN].subject
    tell(records[ANN], yes(n))
    records[ANN].changed = records[ANN].subject is not before
    await store.save(records)


class TestTampering:
    """Against the ledger as it is stored. In memory: how a server's documents are edited is the server's."""

    @pytest.fixture
    async def stored(self) -> MemoryConsentStore:
        store = MemoryConsentStore()
        for n in range(4):
            await hear(store, ANN, yes(n))
        return store

    def documents(self, store: MemoryConsentStore) -> dict[str, dict[str, object]]:
        return store.ledger.documents  # type: ignore[attr-defined,no-any-return]

    async def test_a_dropped_entry_is_found(self, stored: MemoryConsentStore) -> None:
        self.documents(stored).pop(f"{ANN}:{2:010d}")
        assert await walk(stored) == Report(1, 3, 1, ANN, 2, "missing-or-reordered")

    async def test_an_edited_entry_is_found(self, stored: MemoryConsentStore) -> None:
        self.documents(stored)[f"{ANN}:{1:010d}"]["states"] = [["analytics", "granted"]]
        assert await walk(stored) == Report(1, 4, 1, ANN, 1, "edited")

    @pytest.mark.parametrize("edit", [{"states": [["analytics", "perhaps"]]}, {"states": 7}, {"seq": "one"}])
    async def test_an_entry_edited_beyond_recognition_is_found(
        self, stored: MemoryConsentStore, edit: dict[str, object]
    ) -> None:
        self.documents(stored)[f"{ANN}:{1:010d}"].update(edit)
        report = await walk(stored)
        assert (report.broken, report.first_broken, report.seq, report.rule) == (1, ANN, 1, "edited")

    async def test_an_edited_copy_of_a_newest_entry_is_found(self, stored: MemoryConsentStore) -> None:
        _, entries = await stored.chain(ANN)
        await stored.ledger.add([replace(entries[-1], jurisdiction="US-CA")])
        assert await walk(stored) == Report(1, 4, 1, ANN, 4, "edited")

    async def test_a_cut_off_state_is_found(self, stored: MemoryConsentStore) -> None:
        stored.subjects.documents[ANN]["tail"] = []  # type: ignore[attr-defined]
        subject, entries = await stored.chain(ANN)
        assert verify(entries, subject) == Break(4, "truncated")

    async def test_a_state_that_was_changed_is_found(self, stored: MemoryConsentStore) -> None:
        stored.subjects.documents[ANN]["marks"] = []  # type: ignore[attr-defined]
        assert (await walk(stored)).rule == "state-differs"
