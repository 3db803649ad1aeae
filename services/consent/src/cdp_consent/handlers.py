"""What the gate does: read this page first."""

from __future__ import annotations

from typing import Any, TypeAlias

from cdp_contracts.definitions_v1 import PolicyDefined
from cdp_contracts.events_v1 import EventValidated
from cdp_contracts.topics import EVENTS_PERMITTED, EVENTS_VALIDATED, EVENTS_WITHHELD, POLICIES_DEFINED
from cdp_runtime.batch import Batch
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.stage import Stage
from cdp_runtime.tables import GlobalTable

from cdp_consent.domain.decision import message_of
from cdp_consent.domain.gate import ids_of, judge
from cdp_consent.domain.policy import Policy, PolicyBook, compile_policy
from cdp_consent.metrics import count
from cdp_consent.store import ConsentStore

PolicyTable: TypeAlias = GlobalTable[PolicyDefined, Policy]


async def guard_events(
    batch: Batch[EventValidated], consents: ConsentStore, policies: PolicyBook, pseudonyms: Pseudonymizer
) -> None:
    """Let each event pass or withhold it, by the choices of every id on it. Safe twice."""
    events = [(event, ids_of(event, pseudonyms)) for event in batch]
    known = await consents.load(i for _, ids in events for i in ids.all)
    verdicts = judge(events, known, policies, batch.now)
    await consents.save(known)
    for event, verdict in verdicts:
        batch.emit(message_of(event, verdict), cause=event)
    count(verdict for _, verdict in verdicts)


def policy_table() -> PolicyTable:
    """The policies in force. Without any there is nothing to decide by, and the gate waits."""
    return GlobalTable(POLICIES_DEFINED, compile_policy, required=True)


def book_of(table: PolicyTable) -> PolicyBook:
    """A book that follows the table."""
    book = PolicyBook()
    for key, policy in table.items():
        book.learn(key, policy)
    table.on_change(lambda key: book.learn(key, table.get(key)))
    return book


def stages(consents: ConsentStore, policies: PolicyTable, pseudonyms: Pseudonymizer) -> list[Stage[Any]]:
    """The gate's stages."""
    return [
        Stage(
            guard_events,
            reads=EVENTS_VALIDATED,
            emits=[EVENTS_PERMITTED, EVENTS_WITHHELD],
            uses=[consents, book_of(policies), pseudonyms],
        )
    ]
