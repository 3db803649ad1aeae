"""What the identity service does with what it reads. Read this first."""

from __future__ import annotations

from typing import Any, TypeAlias

from cdp_contracts.definitions_v1 import IdentityRulesDefined
from cdp_contracts.events_v1 import EventPermitted
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RESOLVED,
    IDENTITIES_MERGE_REFUSED,
    IDENTITIES_MERGED,
    IDENTITY_RULES_DEFINED,
)
from cdp_runtime.batch import Batch
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.stage import Stage
from cdp_runtime.tables import GlobalTable

from cdp_identity.domain.facts import facts
from cdp_identity.domain.rules import RuleBook, Rules, compile_rules
from cdp_identity.domain.sightings import sighting_of
from cdp_identity.metrics import count
from cdp_identity.store import IdentityGraph

RulesTable: TypeAlias = GlobalTable[IdentityRulesDefined, Rules]


async def resolve_identities(
    batch: Batch[EventPermitted], graph: IdentityGraph, pseudonyms: Pseudonymizer, rules: RuleBook
) -> None:
    """Say whose each event is, and which persons turned out to be one, or must not be. Safe twice."""
    resolutions = await graph.resolve([sighting_of(event, pseudonyms, rules) for event in batch])
    for event, resolution in zip(batch, resolutions, strict=True):
        batch.emit(*facts(event, resolution), cause=event)
    count(resolutions)


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
    return [
        Stage(
            resolve_identities,
            reads=EVENTS_PERMITTED,
            emits=[EVENTS_RESOLVED, IDENTITIES_MERGED, IDENTITIES_MERGE_REFUSED],
            uses=[graph, pseudonyms, book_of(rules) if rules else RuleBook()],
        )
    ]
