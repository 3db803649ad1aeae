"""Persons become one, and one becomes several: what is known of them follows their identifiers.

1. What is decided is noted: who leads to whom, whose an identifier is from now on, who is kept apart. What is told
   from here on goes where it belongs.
2. Whoever has something coming takes it in, and is found by it.
3. Whoever had it lets go.

Each step is a compare-and-set of single documents and does nothing where it was done before. A merge may bring
back what was parted, or bring what is somebody else's by now: that is handed on. So merges, partings and events
commute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, cast

from cdp_contracts.identities_v1 import IdentitiesMerged, IdentitiesUnmerged
from cdp_runtime.redirects import chain_of
from pydantic import JsonValue

from cdp_identity.matcher.books import Books, Changes, shard_of
from cdp_identity.matcher.entries import Away, Entry
from cdp_identity.matcher.pairs import ENDS, ends_of, pair_of
from cdp_identity.matcher.store import MatcherStore, survivor, with_survivors
from cdp_identity.matcher.telling import remembered

People: TypeAlias = Mapping[str, Entry]
Cause: TypeAlias = IdentitiesMerged | IdentitiesUnmerged


@dataclass(frozen=True, slots=True)
class Move:
    """What was told under some identifiers goes to another person. `lost` are terms that the giver has no more."""

    giver: Entry
    taker: Entry
    parts: Collection[str]
    terms: set[str]
    lost: set[str]

    def take(self) -> None:
        """Let the taker have it, to be matched when it is next heard of; safe twice."""
        self.taker.receive(self.giver, self.parts, self.terms)
        self.taker.pending |= {*self.parts}
        self.taker.counted = self.giver.counted if self.taker.counted is None else self.taker.counted

    def let_go(self) -> None:
        """Let the giver drop it, and be matched as what is left."""
        self.giver.let_go(self.parts, self.lost)
        self.giver.pending |= self.giver.told.keys()


class Regrouper:
    """Follows what the resolver says about who is one person. Safe to be stopped anywhere and begun again."""

    def __init__(self, store: MatcherStore, books: Books) -> None:
        self._store = store
        self._books = books

    async def absorb(self, merges: Sequence[IdentitiesMerged], now: datetime) -> None:
        """Keep what is known of absorbed profiles with their survivors. Safe twice, wherever it was stopped."""
        ids = [f"{m.tenant}/{profile}" for m in merges for profile in (m.profile_id, m.absorbed)]
        people = await with_survivors(self._store.entries, ids)
        gone = [entry for merge in merges for entry in join(people, merge, now)]
        await self._regroup(people, merges, gone)
        await self._count(people, merges, now)

    async def part(self, unmerges: Sequence[IdentitiesUnmerged], now: datetime) -> None:
        """Keep what was told under parted identifiers with whom they are of now. Safe twice, as above."""
        ids = [f"{u.tenant}/{profile}" for u in unmerges for profile in profiles_of(u)]
        people = await with_survivors(self._store.entries, ids)
        for unmerge in unmerges:
            self._note(people, unmerge, now)
        await self._store.entries.save(people)
        await self._regroup(people, unmerges)
        await self._count(people, unmerges, now)

    def _note(self, people: People, unmerge: IdentitiesUnmerged, now: datetime) -> None:
        profiles = profiles_of(unmerge)
        for profile in profiles:
            survivor(people, f"{unmerge.tenant}/{profile}").keep_apart(profiles)
        chain = list(chain_of(people, f"{unmerge.tenant}/{unmerge.profile_id}"))
        if any(entry.seen(unmerge.id) for entry in chain):
            return
        for parting in unmerge.partings:
            chain[-1].note(parting.identifiers, Away(unmerge.version, str(parting.profile_id)))
        identifiers = {identifier for parting in unmerge.partings for identifier in parting.identifiers}
        moves = [move for move in self._moves(people, chain[-1]) if identifiers.intersection(move.parts)]
        chain[-1].remember(unmerge.id, now, cast("JsonValue", counted_after(chain[-1], moves)))

    async def _regroup(self, people: People, causes: Sequence[Cause], gone: Sequence[Entry] = ()) -> None:
        live = list(dict.fromkeys(survivor(people, f"{c.tenant}/{c.profile_id}") for c in causes))
        moves = [move for giver in live for move in self._moves(people, giver)]
        for move in moves:
            move.take()
        await self._books.enter(list(dict.fromkeys(move.taker for move in moves)))
        await self._store.entries.save(people)
        for move in moves:
            move.let_go()
        for entry in gone:
            entry.clear()
        await self._books.enter(list(dict.fromkeys([*live, *gone])))
        await self._store.entries.save(people)
        await self._readdress(people, [entry for entry in live if entry.parted])

    def _moves(self, people: People, giver: Entry) -> Iterator[Move]:
        takers: dict[str, list[str]] = defaultdict(list)
        for part in giver.told.keys() & giver.parted.keys():
            takers[survivor(people, giver.id, part).id].append(part)
        takers.pop(giver.id, None)
        records = giver.records() if takers else {}
        leaving = {part for parts in takers.values() for part in parts}
        staying = self._books.terms(giver.tenant, (r for part, r in records.items() if part not in leaving))
        for taker, parts in sorted(takers.items()):
            terms = giver.terms & self._books.terms(giver.tenant, (records[part] for part in parts)).keys()
            yield Move(giver, people[taker], sorted(parts), terms, terms - staying.keys())

    async def _readdress(self, people: People, givers: Sequence[Entry]) -> None:
        """Let what was proposed of a part, or decided, be about whom the part is of by now."""
        about = [pair for giver in givers for pair in await self._store.pairs.about(giver.tenant, giver.names)]
        ends = [end for pair in about for end in ends_of(pair.tenant, pair.proposal)]
        known = {**await with_survivors(self._store.entries, ends), **people}
        said = {pair.id: readdressed(known, pair.tenant, pair.proposal) for pair in about}
        moved = {pair.id: pair for pair in about if said[pair.id] != pair.proposal}
        keys = {i: pair_of(pair.tenant, said[i]) for i, pair in moved.items() if said[i]}
        pairs = await self._store.pairs.load(sorted(keys.values()))
        for i, key in keys.items():
            pairs[key].adopt(moved[i], said[i])
        await self._store.pairs.save(pairs)
        waiting = {i: pair for i, pair in moved.items() if pair.status == "open"}
        for pair in waiting.values():
            pair.withdraw()
        await self._store.pairs.save(waiting)

    async def _count(self, people: People, causes: Sequence[Cause], now: datetime) -> None:
        changes: Changes = {}
        for cause in causes:
            chain = chain_of(people, f"{cause.tenant}/{cause.profile_id}")
            entry = next((entry for entry in chain if entry.seen(cause.id)), None)
            if entry is None:
                continue
            outcome = remembered(entry.outcome(cause.id))
            numbers = {**dict.fromkeys(outcome.get("shared", ()), -1), **outcome.get("terms", {})}
            if outcome.get("people"):
                numbers[shard_of(entry)] = outcome["people"]
            for key, number in numbers.items():
                changes.setdefault(key, []).append((cause.id, {"people": number}))
        await self._books.count(changes, now)


def profiles_of(unmerge: IdentitiesUnmerged) -> list[str]:
    """The profiles that an unmerge says are different people."""
    return [str(unmerge.profile_id), *(str(parting.profile_id) for parting in unmerge.partings)]


def join(people: People, merge: IdentitiesMerged, now: datetime) -> list[Entry]:
    """Let the survivor have what the absorbed hold; those. They hold it until that is stored."""
    kept = survivor(people, f"{merge.tenant}/{merge.profile_id}")
    last = survivor(people, f"{merge.tenant}/{merge.absorbed}")
    if last is not kept:
        last.lead_to(kept)
    *gone, kept = chain_of(people, f"{merge.tenant}/{merge.absorbed}")
    shared: set[str] = set()
    counted = int(bool(kept.counted))
    for entry in gone:
        shared |= (kept.terms - kept.shared) & (entry.terms - entry.shared)
        counted += bool(entry.counted)
        kept.take(entry)
    if gone and not any(entry.seen(merge.id) for entry in (*gone, kept)):
        outcome: dict[str, Any] = {"shared": sorted(shared), "people": min(0, 1 - counted)}
        kept.remember(merge.id, now, cast("JsonValue", outcome))
    return gone


def counted_after(giver: Entry, moves: Sequence[Move]) -> dict[str, Any]:
    """By how much more, or less, people and terms are to be counted once a person has become several."""
    terms: dict[str, int] = {}
    for term in sorted((giver.terms - giver.shared) & set().union(*(move.terms for move in moves))):
        takers = [move.taker for move in moves if term in move.terms]
        after = len(takers) + all(term not in move.lost for move in moves)
        before = 1 + sum(term in taker.terms - taker.shared for taker in takers)
        if after != before:
            terms[term] = after - before
    emptied = giver.told.keys() <= {part for move in moves for part in move.parts}
    new = sum(move.taker.counted is None for move in moves)
    return {"terms": terms, "people": new - emptied if giver.counted else 0}


def readdressed(people: People, tenant: str, said: dict[str, Any]) -> dict[str, Any]:
    """What was said of two as it is now that identifiers were parted: the same if none of theirs were.

    Nothing if nobody is to be asked any more, because they are one person or were found to be two.
    """
    ids = ends_of(tenant, said)
    there = [survivor(people, i, part) for i, part in zip(ids, said["parts"], strict=True)]
    here = [survivor(people, i) for i in ids]
    if there == here:
        return said
    if there[0] is there[1] or there[0].is_apart(there[1]):
        return {}
    names = [said[end] if t is h else t.profile_id for end, t, h in zip(ENDS, there, here, strict=True)]
    return said | dict(zip(ENDS, names, strict=True))
