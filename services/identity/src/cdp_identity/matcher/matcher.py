"""Matches a batch: keep what was told, look who shares a key with it, keep what was found.

In this order: **persons** with what was told, **blocks**, then matching, then **persons** with what was found,
then counters and pairs. Two workers that meet the same new person at once write to the same block, and who comes
second sees the other there. What was found is remembered with the event: delivered again, it is told in the same
words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.identities_v1 import IdentitiesMerged
from cdp_contracts.matches_v1 import MatchDecided, MatchProposed
from cdp_runtime.pseudonyms import Pseudonymizer
from pydantic import JsonValue

from cdp_identity.matcher.entries import Block, Entry, Pair, Told, pair_id
from cdp_identity.matcher.store import MatcherStore, survivor, with_survivors
from cdp_identity.matcher.telling import Rules, facts, proposal_of, remembered, told_by
from cdp_identity.matcher.view import View
from cdp_identity.matching.blocking import keys_of
from cdp_identity.matching.frequencies import Frequencies, Term, terms_of
from cdp_identity.matching.index import MatchIndex
from cdp_identity.matching.record import MatchRecord

Changes: TypeAlias = dict[str, list[tuple[UUID, dict[str, int]]]]

SHARDS: Final = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class News:
    """An event that told something new of a person."""

    event: EventResolved
    entry: Entry

    @property
    def outcome(self) -> dict[str, Any]:
        """What was remembered when it was matched; nothing before."""
        return remembered(self.entry.outcome(self.event.id)) if self.entry.seen(self.event.id) else {}

    @property
    def found(self) -> list[dict[str, Any]]:
        """What was found when it was matched."""
        found: list[dict[str, Any]] = self.outcome.get("found", [])
        return found

    @property
    def key(self) -> str:
        """The id of the record that changed."""
        return f"{self.entry.id}/{self.event.part}"


class Matcher:
    """Proposes and remembers. Safe to be stopped anywhere and begun again."""

    def __init__(self, store: MatcherStore, rules: Rules, pseudonyms: Pseudonymizer) -> None:
        self._store = store
        self._rules = rules
        self._pseudonyms = pseudonyms

    async def consider(
        self, events: Sequence[EventResolved], now: datetime
    ) -> list[list[MatchProposed | MatchDecided]]:
        """What follows from each event: nothing for most."""
        told = [(event, told_by(event, self._rules, self._pseudonyms)) for event in events]
        asked = [(event, said) for event, said in told if said]
        if not asked:
            return [[] for _ in events]
        entries = await with_survivors(self._store.entries, [_id(event) for event, _ in asked])
        news = self._told(asked, entries)
        await self._store.entries.save(entries)
        blocks = await self._blocked(news)
        await self._matched(news, entries, blocks, now)
        await self._store.entries.save(entries)
        await self._kept(news, now)
        return [self._facts(event, entries) if said else [] for event, said in told]

    async def absorb(self, merges: Sequence[IdentitiesMerged], now: datetime) -> None:
        """Keep what is known of an absorbed profile with the survivor. Safe twice, wherever it was stopped."""
        ids = [f"{m.tenant}/{p}" for m in merges for p in (m.profile_id, m.absorbed)]
        entries = await with_survivors(self._store.entries, ids)
        joined = [(m, e, o) for m in merges for e, o in [_ends(entries, m)] if e.id != o.id]
        keys = {key for _, _, gone in joined for key in gone.keys}
        blocks = await self._store.blocks.load(sorted(keys))
        for merge, kept, gone in joined:
            kept.recent.absorb(gone.recent)
            if not kept.seen(merge.id):
                shared = sorted((kept.terms - kept.shared) & (gone.terms - gone.shared))
                outcome = {"shared": shared, "people": -int(bool(kept.counted and gone.counted))}
                kept.remember(merge.id, now, cast("JsonValue", outcome))
            for key in gone.keys:
                blocks[key].discard(gone.id)
                blocks[key].add(kept.id)
            kept.take(gone)
        await self._store.entries.save({kept.id: kept for _, kept, _ in joined})
        await self._store.blocks.save(blocks)
        for _, kept, gone in joined:
            gone.give_way(kept.id)
        await self._store.entries.save({gone.id: gone for _, _, gone in joined})
        await self._uncount(merges, entries, now)

    async def settle(self, verdicts: Sequence[MatchDecided], now: datetime) -> None:
        """Take pairs that were decided out of the queue. A pair is not proposed again after that. Safe twice."""
        pairs = await self._store.pairs.load(_pair(v.tenant, v.profile_id, v.other) for v in verdicts)
        for verdict in verdicts:
            at = int(verdict.occurred_at.timestamp() * 1000)
            pair = pairs[_pair(verdict.tenant, verdict.profile_id, verdict.other)]
            pair.decide(verdict.id, now, verdict.verdict, verdict.by, at)
        await self._store.pairs.save(pairs)

    def _told(self, asked: Iterable[tuple[EventResolved, Told]], entries: dict[str, Entry]) -> list[News]:
        news: list[News] = []
        for event, said in asked:
            entry = survivor(entries, _id(event))
            if entry.seen(event.id) or entry.tell(event.part, said):
                news.append(News(event, entry))
        return news

    async def _blocked(self, news: Sequence[News]) -> dict[str, Block]:
        wanted = {
            one.entry.id: {
                self._hash(one.event.tenant, "key", key)
                for record in one.entry.records().values()
                for key in keys_of(record)
            }
            for one in news
        }
        changed = {one.entry.id: one.entry for one in news}
        ids = {key for entry in changed.values() for key in wanted[entry.id] | entry.keys}
        blocks = await self._store.blocks.load(sorted(ids))
        for entry in changed.values():
            for key in sorted(entry.keys - wanted[entry.id]):
                blocks[key].discard(entry.id)
            for key in sorted(wanted[entry.id]):
                blocks[key].add(entry.id)
            entry.keys = wanted[entry.id]
        await self._store.blocks.save(blocks)
        return blocks

    async def _matched(
        self, news: Sequence[News], entries: dict[str, Entry], blocks: dict[str, Block], now: datetime
    ) -> None:
        if all(one.entry.seen(one.event.id) for one in news):
            return
        near = {member for block in blocks.values() for member in block.members} - entries.keys()
        known = {**await with_survivors(self._store.entries, sorted(near)), **entries}
        for tenant in dict.fromkeys(one.event.tenant for one in news):
            mine = [one for one in news if one.event.tenant == tenant]
            view = View(known, blocks, partial(self._hash, tenant, "key"))
            met = await self._frequencies(tenant, [view.of(i) for i in known if i.startswith(f"{tenant}/")])
            view.hidden = {one.key for one in mine}
            pairs: dict[str, Pair] = {}
            for one in mine:
                view.hidden.discard(one.key)
                # Each is judged by what was counted before the batch: the same when some of it was kept already.
                view.frequencies = replace(met)
                if not one.entry.seen(one.event.id):
                    await self._match(one, view, pairs, now)
                await self._propose(one, pairs, now)

    async def _match(self, one: News, view: View, pairs: dict[str, Pair], now: datetime) -> None:
        record, entry, met = view.of(one.entry.id)[one.event.part], one.entry, view.frequencies
        before = met.same, met.others
        best: dict[str, dict[str, Any]] = {}
        for match in MatchIndex(view).matches(record, list(keys_of(record))):
            said = proposal_of(match, self._rules)
            if said["other"] != said["profile"]:
                best.setdefault(_pair(one.event.tenant, said["profile"], said["other"]), said)
        await self._load(pairs, best)
        terms = {self._hash(one.event.tenant, *term) for term in terms_of(record)} - entry.terms
        twins = [view.entries[f"{one.event.tenant}/{m['other']}"] for m in best.values() if m["band"] == "auto"]
        shared = {term for twin in twins for term in twin.terms & terms}
        outcome = {
            "found": [said for key, said in best.items() if pairs[key].is_news(said["band"])],
            "terms": sorted(terms - shared), "people": int(entry.counted is None and not twins),
            "same": met.same - before[0], "others": met.others - before[1],
        }  # fmt: skip
        entry.terms |= terms
        entry.shared |= shared
        entry.counted = not twins if entry.counted is None else entry.counted
        entry.pending.discard(one.event.part)
        entry.remember(one.event.id, now, cast("JsonValue", outcome))

    async def _propose(self, one: News, pairs: dict[str, Pair], now: datetime) -> None:
        found = {_pair(one.event.tenant, said["profile"], said["other"]): said for said in one.found}
        await self._load(pairs, found)
        for key, said in found.items():
            pairs[key].propose(one.event.id, now, said)

    async def _load(self, pairs: dict[str, Pair], keys: Iterable[str]) -> None:
        if missing := [key for key in keys if key not in pairs]:
            pairs |= await self._store.pairs.load(missing)

    async def _kept(self, news: Sequence[News], now: datetime) -> None:
        changes: Changes = {}
        pairs: dict[str, Pair] = {}
        for one in news:
            numbers = {name: one.outcome.get(name, 0) for name in ("people", "same", "others")}
            if any(numbers.values()):
                changes.setdefault(_shard(one.entry), []).append((one.event.id, numbers))
            for term in one.outcome.get("terms", ()):
                changes.setdefault(term, []).append((one.event.id, {"people": 1}))
            await self._propose(one, pairs, now)
        await self._count(changes, now)
        await self._store.pairs.save(pairs)

    async def _uncount(self, merges: Sequence[IdentitiesMerged], entries: dict[str, Entry], now: datetime) -> None:
        changes: Changes = {}
        for merge in merges:
            entry = survivor(entries, f"{merge.tenant}/{merge.profile_id}")
            if not entry.seen(merge.id):
                continue
            outcome = remembered(entry.outcome(merge.id))
            if outcome.get("people"):
                changes.setdefault(_shard(entry), []).append((merge.id, {"people": outcome["people"]}))
            for term in outcome.get("shared", ()):
                changes.setdefault(term, []).append((merge.id, {"people": -1}))
        await self._count(changes, now)

    async def _count(self, changes: Changes, now: datetime) -> None:
        counters = await self._store.counters.load(sorted(changes))
        for key, added in changes.items():
            for message, numbers in added:
                counters[key].add(message, now, **numbers)
        await self._store.counters.save(counters)

    async def _frequencies(self, tenant: str, records: Iterable[dict[str, MatchRecord]]) -> Frequencies:
        terms: dict[str, Term] = {
            self._hash(tenant, *term): term
            for parts in records
            for record in parts.values()
            for term in terms_of(record)
        }
        shards = [f"{tenant}/population-{shard}" for shard in SHARDS]
        counters = await self._store.counters.load([*shards, *sorted(terms)])
        met = Frequencies()
        for shard in shards:
            numbers = counters[shard].numbers
            met.people += numbers.get("people", 0)
            met.same += numbers.get("same", 0)
            met.others += numbers.get("others", 0)
        for key, term in terms.items():
            met.counts[term] = counters[key].numbers.get("people", 0)
        return met

    def _facts(self, event: EventResolved, entries: dict[str, Entry]) -> list[MatchProposed | MatchDecided]:
        return list(facts(event, News(event, survivor(entries, _id(event))).found))

    def _hash(self, tenant: str, kind: str, value: str) -> str:
        return f"{tenant}/{self._pseudonyms.of(tenant, f'match-{kind}', value)}"


def _id(event: EventResolved) -> str:
    return f"{event.tenant}/{event.profile_id}"


def _pair(tenant: str, one: object, other: object) -> str:
    return pair_id(tenant, str(one), str(other))


def _shard(entry: Entry) -> str:
    tenant, _, profile = entry.id.partition("/")
    return f"{tenant}/population-{profile[0]}"


def _ends(entries: dict[str, Entry], merge: IdentitiesMerged) -> tuple[Entry, Entry]:
    return survivor(entries, f"{merge.tenant}/{merge.profile_id}"), survivor(
        entries, f"{merge.tenant}/{merge.absorbed}"
    )
