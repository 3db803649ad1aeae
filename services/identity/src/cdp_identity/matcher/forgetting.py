"""A person's choice is against comparing from now on: what was told until then is dropped.

It is told by any event that was heard while a purpose was missing, and for the identifier that the event is
attributed by. Safe to be stopped anywhere and begun again; what was told later stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cdp_contracts.events_v1 import EventResolved
from cdp_runtime.redirects import chain_of

from cdp_identity.matcher.books import Books, Changes, shard_of
from cdp_identity.matcher.entries import Entry
from cdp_identity.matcher.pairs import ENDS, Pair
from cdp_identity.matcher.store import MatcherStore, with_survivors
from cdp_identity.matcher.telling import heard_at, remembered


class Forgetter:
    """Drops what may not be compared any more, and asks nobody about it."""

    def __init__(self, store: MatcherStore, books: Books) -> None:
        self._store = store
        self._books = books

    async def forget(self, events: Sequence[EventResolved], now: datetime) -> None:
        """Drop what was told until then under the identifiers of these events, of whoever is known."""
        if not events:
            return
        people = await with_survivors(self._store.entries, dict.fromkeys(map(id_of, events)))
        heard = [(event, entry) for event in events if (entry := entry_of(people, event)).rev]
        for event, entry in heard:
            if not entry.seen(event.id) and entry.refuse(event.part, heard_at(event)):
                self._drop(entry, event, now)
        dropped = [(event, entry) for event, entry in heard if entry.seen(event.id)]
        await self._books.enter(list(dict.fromkeys(entry for _, entry in dropped)))
        await self._store.entries.save(people)
        for event, entry in dropped:
            await self._ask_nobody(event, entry)
        await self._count(dropped, now)

    def _drop(self, entry: Entry, event: EventResolved, now: datetime) -> None:
        records = entry.records()
        gone = self._books.terms(entry.tenant, [records.pop(event.part)]).keys() & entry.terms
        gone -= self._books.terms(entry.tenant, records.values()).keys()
        counted = sorted(gone - entry.shared)
        entry.remember(
            event.id, now, {"uncounted": list(counted), "fewer": int(bool(entry.counted and not records))}
        )
        entry.let_go([event.part], set(gone))

    async def _ask_nobody(self, event: EventResolved, entry: Entry) -> None:
        if event.part in entry.told:  # told anew since
            return
        about = await self._store.pairs.about(entry.tenant, entry.names)
        waiting = {p.id: p for p in about if p.status == "open" and is_about(p, entry, event.part)}
        for pair in waiting.values():
            pair.withdraw()
        await self._store.pairs.save(waiting)

    async def _count(self, dropped: Sequence[tuple[EventResolved, Entry]], now: datetime) -> None:
        changes: Changes = {}
        for event, entry in dropped:
            outcome = remembered(entry.outcome(event.id))
            fewer = [*outcome.get("uncounted", ()), *([shard_of(entry)] if outcome.get("fewer") else [])]
            for key in fewer:
                changes.setdefault(key, []).append((event.id, {"people": -1}))
        if changes:
            await self._books.count(changes, now)


def is_about(pair: Pair, entry: Entry, part: str) -> bool:
    """Whether a pair was proposed by what a person told under an identifier."""
    ends = zip(ENDS, pair.proposal["parts"], strict=True)
    return any(pair.proposal[end] in entry.names and compared == part for end, compared in ends)


def id_of(event: EventResolved) -> str:
    """The id of the entry of the profile that an event was resolved to."""
    return f"{event.tenant}/{event.profile_id}"


def entry_of(entries: Mapping[str, Entry], event: EventResolved) -> Entry:
    """The entry that an event was told to, or else the one that it is to be told to."""
    chain = list(chain_of(entries, id_of(event), event.part))
    return next((entry for entry in chain if entry.seen(event.id)), chain[-1])
