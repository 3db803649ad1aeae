"""Matches a batch: keep what was told, look who shares a key with it, keep what was found.

In this order: **persons** with what was told, **blocks**, then matching, then **persons** with what was found,
then counters and pairs. Two workers that meet the same new person at once write to the same block, and who comes
second sees the other there. What was found is remembered with the event: delivered again, it is told in the same
words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.matches_v1 import MatchDecided, MatchProposed
from cdp_runtime.pseudonyms import Pseudonymizer
from pydantic import JsonValue

from cdp_identity.matcher.books import COUNTED, Books, Changes, shard_of
from cdp_identity.matcher.entries import Block, Entry, Told
from cdp_identity.matcher.forgetting import Forgetter, entry_of, id_of
from cdp_identity.matcher.pairs import Pair, ends_of, pair_of
from cdp_identity.matcher.regrouping import Regrouper, readdressed
from cdp_identity.matcher.store import MatcherStore, with_survivors
from cdp_identity.matcher.telling import Rules, facts, heard_at, proposal_of, remembered, told_by
from cdp_identity.matcher.view import View
from cdp_identity.matching.blocking import keys_of
from cdp_identity.matching.frequencies import terms_of
from cdp_identity.matching.index import MatchIndex


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
    def ends(self) -> list[str]:
        """The ids of those of whom it was."""
        return [end for said in self.found for end in ends_of(self.event.tenant, said)]

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
        self._books = Books(store, pseudonyms)
        self.groups: Final = Regrouper(store, self._books)
        self._forgetter = Forgetter(store, self._books)

    async def consider(
        self, events: Sequence[EventResolved], now: datetime
    ) -> list[list[MatchProposed | MatchDecided]]:
        """What follows from each event: nothing for most."""
        refused = [event for event in events if self._rules.forbid(event)]
        await self._forgetter.forget(refused, now)
        told = list(self._said(events, refused))
        asked = [(event, said) for event, said in told if said]
        if not asked:
            return [[] for _ in events]
        entries = await with_survivors(self._store.entries, [id_of(event) for event, _ in asked])
        news = self._told(asked, entries)
        await self._store.entries.save(entries)
        blocks = await self._books.enter(list(dict.fromkeys(one.entry for one in news)))
        await self._matched(news, entries, blocks, now)
        await self._store.entries.save(entries)
        await self._kept(news, now)
        return [self._facts(event, entries) if said else [] for event, said in told]

    async def settle(self, verdicts: Sequence[MatchDecided], now: datetime) -> None:
        """Take pairs that were decided out of the queue. A pair is not proposed again after that. Safe twice."""
        said = [{"profile": str(v.profile_id), "other": str(v.other), "parts": v.identifiers} for v in verdicts]
        ends = [end for v, one in zip(verdicts, said, strict=True) for end in ends_of(v.tenant, one)]
        people = await with_survivors(self._store.entries, ends)
        about = [(v, {pair_of(v.tenant, s) for s in (one, readdressed(people, v.tenant, one)) if s})
                 for v, one in zip(verdicts, said, strict=True)]  # fmt: skip
        pairs = await self._store.pairs.load(key for _, keys in about for key in sorted(keys))
        for verdict, keys in about:
            at = int(verdict.occurred_at.timestamp() * 1000)
            for key in keys:
                pairs[key].decide(verdict.id, now, verdict.verdict, verdict.by, at)
        await self._store.pairs.save(pairs)

    def _said(
        self, events: Sequence[EventResolved], refused: Sequence[EventResolved]
    ) -> Iterator[tuple[EventResolved, Told | None]]:
        until = {(id_of(event), event.part): heard_at(event) for event in sorted(refused, key=heard_at)}
        for event in events:
            said = told_by(event, self._rules, self._pseudonyms)
            yield event, said if said and said.heard > until.get((id_of(event), event.part), -1) else None

    def _told(self, asked: Iterable[tuple[EventResolved, Told]], entries: dict[str, Entry]) -> list[News]:
        news: list[News] = []
        for event, said in asked:
            entry = entry_of(entries, event)
            if entry.seen(event.id) or entry.tell(event.part, said):
                news.append(News(event, entry))
        return news

    async def _matched(
        self, news: Sequence[News], entries: dict[str, Entry], blocks: dict[str, Block], now: datetime
    ) -> None:
        if all(one.entry.seen(one.event.id) for one in news):
            return
        near = {member for block in blocks.values() for member in block.members}
        near = near.union(*(one.ends for one in news)) - entries.keys()
        known = {**await with_survivors(self._store.entries, sorted(near)), **entries}
        for tenant in dict.fromkeys(one.event.tenant for one in news):
            mine = [one for one in news if one.event.tenant == tenant]
            view = View(known, blocks, partial(self._books.hash, tenant, "key"))
            mine_known = [i for i in known if i.startswith(f"{tenant}/")]
            met = await self._books.frequencies(tenant, [r for i in mine_known for r in view.of(i).values()])
            view.hidden = {one.key for one in mine if not one.entry.seen(one.event.id)}
            saw: defaultdict[str, list[str]] = defaultdict(list)
            for other in mine:
                for key in other.outcome.get("saw", ()):
                    saw[key].append(other.key)
            pairs: dict[str, Pair] = {}
            for one in mine:
                view.hidden.discard(one.key)
                view.behind, view.seen = saw.get(one.key, []), set()
                # Each is judged by what was counted before the batch: the same when some of it was kept already.
                view.frequencies = replace(met)
                if not one.entry.seen(one.event.id):
                    await self._match(one, view, pairs, now)
                    view.fresh.add(one.key)
                await self._propose(one, known, pairs, now)

    async def _match(self, one: News, view: View, pairs: dict[str, Pair], now: datetime) -> None:
        record, entry, met = view.of(one.entry.id)[one.event.part], one.entry, view.frequencies
        view.looking = entry
        before = met.same, met.others
        best: dict[str, dict[str, Any]] = {}
        matches = MatchIndex(view).matches(record, list(keys_of(record)))
        for match in matches:
            said = proposal_of(match, self._rules)
            if said["other"] != said["profile"]:
                best.setdefault(pair_of(one.event.tenant, said), said)
        await self._load(pairs, best)
        terms = {self._books.hash(one.event.tenant, *term) for term in terms_of(record)} - entry.terms
        twins = [view.entries[f"{one.event.tenant}/{m['other']}"] for m in best.values() if m["band"] == "auto"]
        shared = {term for twin in twins for term in twin.terms & terms}
        new, again = entry.counted is None, bool(matches) and met.is_again(matches[0].score)
        outcome = {
            "found": [said for key, said in best.items() if pairs[key].is_news(said["band"])],
            "terms": sorted(terms - shared), "people": int(new and not twins), "again": int(new and again),
            "same": met.same - before[0], "others": met.others - before[1],
        }  # fmt: skip
        if view.seen:
            outcome["saw"] = sorted(view.seen)
        entry.terms |= terms
        entry.shared |= shared
        entry.counted = not twins if entry.counted is None else entry.counted
        entry.pending.discard(one.event.part)
        entry.remember(one.event.id, now, cast("JsonValue", outcome))

    async def _propose(
        self, one: News, people: Mapping[str, Entry], pairs: dict[str, Pair], now: datetime
    ) -> None:
        now_of = [readdressed(people, one.event.tenant, said) for said in one.found]
        found = {pair_of(one.event.tenant, said): said for said in now_of if said}
        await self._load(pairs, found)
        for key, said in found.items():
            pairs[key].propose(one.event.id, now, said)

    async def _load(self, pairs: dict[str, Pair], keys: Iterable[str]) -> None:
        if missing := [key for key in keys if key not in pairs]:
            pairs |= await self._store.pairs.load(missing)

    async def _kept(self, news: Sequence[News], now: datetime) -> None:
        changes: Changes = {}
        pairs: dict[str, Pair] = {}
        ends = [end for one in news for end in one.ends]
        people = await with_survivors(self._store.entries, ends) if ends else {}
        for one in news:
            numbers = {name: one.outcome.get(name, 0) for name in COUNTED}
            if any(numbers.values()):
                changes.setdefault(shard_of(one.entry), []).append((one.event.id, numbers))
            for term in one.outcome.get("terms", ()):
                changes.setdefault(term, []).append((one.event.id, {"people": 1}))
            await self._propose(one, people, pairs, now)
        await self._books.count(changes, now)
        await self._store.pairs.save(pairs)

    def _facts(self, event: EventResolved, entries: dict[str, Entry]) -> list[MatchProposed | MatchDecided]:
        return list(facts(event, News(event, entry_of(entries, event)).found))
