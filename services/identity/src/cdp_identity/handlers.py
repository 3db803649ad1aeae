"""What the identity service does with what it reads. Read this first."""

from __future__ import annotations

from typing import Any, TypeAlias

from cdp_contracts.definitions_v1 import IdentityRulesDefined
from cdp_contracts.events_v1 import EventPermitted
from cdp_contracts.identities_v1 import UnmergeRequested
from cdp_contracts.matches_v1 import MatchDecided
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RESOLVED,
    IDENTITIES_MERGE_REFUSED,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    IDENTITY_RULES_DEFINED,
    MATCHES_DECIDED,
    UNMERGES_REQUESTED,
)
from cdp_runtime.batch import Batch
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.stage import Stage
from cdp_runtime.tables import GlobalTable

from cdp_identity.domain.facts import facts, unmerge_of, unmerged, verdict_facts
from cdp_identity.domain.rules import RuleBook, Rules, compile_rules
from cdp_identity.domain.sightings import sighting_of
from cdp_identity.domain.verdicts import Verdict
from cdp_identity.metrics import count
from cdp_identity.store import IdentityGraph
from cdp_identity.store.partings import NothingToPart, part
from cdp_identity.store.verdicts import UnknownIdentifier, judge

RulesTable: TypeAlias = GlobalTable[IdentityRulesDefined, Rules]


async def resolve_identities(
    batch: Batch[EventPermitted], graph: IdentityGraph, pseudonyms: Pseudonymizer, rules: RuleBook
) -> None:
    """Say whose each event is, and which persons turned out to be one, or must not be. Safe twice."""
    resolutions = await graph.resolve([sighting_of(event, pseudonyms, rules) for event in batch])
    for event, resolution in zip(batch, resolutions, strict=True):
        batch.emit(*facts(event, resolution), cause=event)
    count(resolutions)


async def apply_verdicts(batch: Batch[MatchDecided], graph: IdentityGraph, rules: RuleBook) -> None:
    """Join whom the matcher or a person has found to be one, or keep them apart from now on. Safe twice."""
    for decided in batch:
        try:
            resolution = await judge(graph, Verdict.of(decided, rules))
        except UnknownIdentifier:
            batch.dead_letter(decided, "unknown-identifier")
        else:
            batch.emit(*(verdict_facts(decided, resolution) if resolution else ()), cause=decided)
            batch.settle(decided)


async def part_persons(batch: Batch[UnmergeRequested], graph: IdentityGraph) -> None:
    """Make several persons of one, as somebody asked for. Safe twice."""
    for request in batch:
        try:
            done = await part(graph, unmerge_of(request))
        except NothingToPart:
            batch.dead_letter(request, "nothing-to-part")
        else:
            batch.emit(unmerged(request, done), cause=request)


def rules_table() -> RulesTable:
    """The rules in force. Without any, those that ship hold."""
    return GlobalTable(IDENTITY_RULES_DEFINED, compile_rules)


def book_of(table: RulesTable) -> RuleBook:
    """A book that follows the table."""
    book = RuleBook()
    for key, rules in table.items():
        book.learn(key, rules)
    table.on_change(lambda key: book.learn(key, table.get(key)))
    return book


def stages(graph: IdentityGraph, pseudonyms: Pseudonymizer, rules: RulesTable | None = None) -> list[Stage[Any]]:
    """The stages of the resolver."""
    book = book_of(rules) if rules else RuleBook()
    return [
        Stage(
            resolve_identities,
            reads=EVENTS_PERMITTED,
            emits=[EVENTS_RESOLVED, IDENTITIES_MERGED, IDENTITIES_MERGE_REFUSED],
            uses=[graph, pseudonyms, book],
        ),
        Stage(
            apply_verdicts,
            reads=MATCHES_DECIDED,
            emits=[IDENTITIES_MERGED, IDENTITIES_MERGE_REFUSED],
            uses=[graph, book],
        ),
        Stage(part_persons, reads=UNMERGES_REQUESTED, emits=[IDENTITIES_UNMERGED], uses=[graph]),
    ]
