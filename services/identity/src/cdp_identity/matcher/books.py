"""What is kept beside persons: who stands under which blocking keys, and how many share a term."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from cdp_runtime.pseudonyms import Pseudonymizer

from cdp_identity.matcher.entries import Block, Entry
from cdp_identity.matcher.store import MatcherStore
from cdp_identity.matching.blocking import keys_of
from cdp_identity.matching.frequencies import Frequencies, Term, terms_of
from cdp_identity.matching.record import MatchRecord

Changes: TypeAlias = dict[str, list[tuple[UUID, dict[str, int]]]]

SHARDS: Final = "0123456789abcdef"
COUNTED: Final = ("people", "again", "same", "others")
"""What is counted of a population, as `Frequencies` calls it."""


class Books:
    """Blocks and counters, named by keyed hashes."""

    def __init__(self, store: MatcherStore, pseudonyms: Pseudonymizer) -> None:
        self._store = store
        self._pseudonyms = pseudonyms

    def hash(self, tenant: str, kind: str, value: str) -> str:
        """The id of what is kept about a key or a term."""
        return f"{tenant}/{self._pseudonyms.of(tenant, f'match-{kind}', value)}"

    def terms(self, tenant: str, records: Iterable[MatchRecord]) -> dict[str, Term]:
        """The terms of records, by the id of their counter."""
        return {self.hash(tenant, *term): term for record in records for term in terms_of(record)}

    async def enter(self, entries: Collection[Entry]) -> dict[str, Block]:
        """Let these persons stand under the keys of what was told of them, and no others.

        Gives the blocks of all keys that they have or had. The persons are yet to be saved.
        """
        wanted = {
            entry.id: {
                self.hash(entry.tenant, "key", key)
                for record in entry.records().values()
                for key in keys_of(record)
            }
            for entry in entries
        }
        ids = {key for entry in entries for key in wanted[entry.id] | entry.keys}
        blocks = await self._store.blocks.load(sorted(ids))
        for entry in entries:
            for key in sorted(entry.keys - wanted[entry.id]):
                blocks[key].discard(entry.id)
            for key in sorted(wanted[entry.id]):
                blocks[key].add(entry.id)
            if entry.keys != wanted[entry.id]:
                entry.keys = wanted[entry.id]
                entry.touch()
        await self._store.blocks.save(blocks)
        return blocks

    async def count(self, changes: Changes, now: datetime) -> None:
        """Add what messages count; each once."""
        counters = await self._store.counters.load(sorted(changes))
        for key, added in changes.items():
            for message, numbers in added:
                counters[key].add(message, now, **numbers)
        await self._store.counters.save(counters)

    async def frequencies(self, tenant: str, records: Iterable[MatchRecord]) -> Frequencies:
        """What has been counted, of the terms of these records."""
        terms = self.terms(tenant, records)
        shards = [f"{tenant}/population-{shard}" for shard in SHARDS]
        counters = await self._store.counters.load([*shards, *sorted(terms)])
        met = Frequencies()
        for shard in shards:
            numbers = counters[shard].numbers
            for name in COUNTED:
                setattr(met, name, getattr(met, name) + numbers.get(name, 0))
        for key, term in terms.items():
            met.counts[term] = counters[key].numbers.get("people", 0)
        return met


def shard_of(entry: Entry) -> str:
    """The id of the counter of the population that a person is counted in."""
    return f"{entry.tenant}/population-{entry.profile_id[0]}"
