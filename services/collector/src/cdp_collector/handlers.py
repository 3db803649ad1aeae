"""What the service does. Read this page first.

`take_in` is the edge, `validate_events` the validator, `note_facts` keeps the receipts.
"""

from __future__ import annotations

from typing import Final

from cdp_contracts.events_v1 import EventReceived, EventRejected, EventValidated
from cdp_contracts.topics import (
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    MEMBERSHIP_CHANGED,
    Topic,
    dead_letter_streams,
)
from cdp_runtime import codec
from cdp_runtime.batch import Batch, Origin
from cdp_runtime.failures import Away
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Headers, Incoming

from cdp_collector import metrics
from cdp_collector.domain.facts import (
    Fact,
    Merged,
    Moved,
    Rejected,
    Resolved,
    SetAside,
    Unmerged,
    Withheld,
    set_aside,
    trace_id,
)
from cdp_collector.domain.intake import Edge, Envelope, Intake
from cdp_collector.domain.receipts import entries
from cdp_collector.domain.requests import AWAY, Refusal
from cdp_collector.domain.sightings import Arrival, sighting_of
from cdp_collector.domain.validator import Validator
from cdp_collector.receipts import Receipts
from cdp_collector.store import Dedup, EventLog

RECEIPTS_REST_SECONDS: Final = 0.5
"""Answers within seconds will do; larger batches are the cheaper ones."""


async def take_in(
    raw: bytes, kind: str | None, envelope: Envelope, *, edge: Edge, log: EventLog, trace: Headers
) -> Intake | Refusal:
    """Store a request's events. Said to be stored only once the log has acknowledged every one of them."""
    intake = edge.read(raw, kind, envelope)
    if isinstance(intake, Intake) and intake.taken:
        try:
            await log.append(intake.taken, trace)
        except Away:
            return AWAY
        count_intake(intake)
    return intake


async def validate_events(batch: Batch[EventReceived], validator: Validator, dedup: Dedup) -> None:
    """Decide about each event, and let each message id pass once. Safe twice: the same place passes again."""
    arrivals = [arrival_of(batch.origin(sent)) for sent in batch]
    decided = list(map(validator.decide, batch, arrivals))
    firsts = await dedup.claim(list(map(sighting_of, decided, arrivals)))
    for sent, message, first in zip(batch, decided, firsts, strict=True):
        tell(batch, sent, message, first=first)


def arrival_of(origin: Origin) -> Arrival:
    """Where and when a record came in."""
    return Arrival(origin.topic, origin.partition, origin.offset, origin.timestamp)


def tell(
    batch: Batch[EventReceived], sent: EventReceived, message: EventValidated | EventRejected, *, first: bool
) -> None:
    """Pass on what was decided."""
    if not first:
        batch.duplicate(sent)
        metrics.DUPLICATES.labels(message.tenant).inc()
        return
    batch.emit(message, cause=sent)
    if isinstance(message, EventRejected):
        metrics.REJECTED.labels(message.tenant, message.rule).inc()


def count_intake(intake: Intake) -> None:
    """Count what was stored and what was not."""
    metrics.STORED.labels(intake.source.tenant, intake.source.name).inc(len(intake.taken))
    if intake.reception:
        metrics.BROWSERS.labels(intake.source.tenant, intake.reception.outcome).inc()
    for item in intake.refused:
        metrics.REFUSED.labels(intake.source.tenant, item.fault.rule).inc()


def stages(validator: Validator, dedup: Dedup) -> list[Stage[EventReceived]]:
    """The stages of the role `validator`."""
    emits = [EVENTS_VALIDATED, EVENTS_REJECTED]
    return [Stage(validate_events, reads=EVENTS_RECEIVED, emits=emits, uses=[validator, dedup])]


async def note_facts(batch: Batch[Fact | SetAside], receipts: Receipts) -> None:
    """Keep what became of each event, for those who ask. Safe twice."""
    found = [entry for fact in batch for entry in entries(fact, trace_of(batch.headers(fact)))]
    metrics.NOT_KEPT.inc(await receipts.note(found))
    for fact in batch:
        batch.settle(fact)


def trace_of(headers: Headers) -> str:
    """The trace that a record belongs to; empty if none."""
    return next(
        (trace_id(value.decode("ascii", "replace")) for name, value in headers if name == "traceparent"), ""
    )


SLIM: Final[dict[str, Topic[Fact]]] = {
    topic.name: topic
    for topic in (
        EVENTS_REJECTED.seen_as(Rejected),
        EVENTS_WITHHELD.seen_as(Withheld),
        EVENTS_RESOLVED.seen_as(Resolved),
        IDENTITIES_MERGED.seen_as(Merged),
        IDENTITIES_UNMERGED.seen_as(Unmerged),
        MEMBERSHIP_CHANGED.seen_as(Moved),
    )
}


def fact_of(record: Incoming) -> Fact | SetAside:
    """What a record says became of an event; ValidationError if it is no message of its topic."""
    topic = SLIM.get(record.topic)
    if topic:
        return codec.decode(topic, record.value or b"")
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    return set_aside(record.topic, headers, record.value, record.timestamp)


def receipt_stages(receipts: Receipts) -> list[Stage[Fact | SetAside]]:
    """The stages of the role `receipts`: one group over all that tells an outcome, but its own dead letters."""
    own = {topic.dead_letters("collector") for topic in SLIM.values()}
    letters = [topic for topic in dead_letter_streams() if topic.name not in own]
    return [
        Stage(
            note_facts,
            reads=[
                EVENTS_REJECTED,
                EVENTS_WITHHELD,
                EVENTS_RESOLVED,
                IDENTITIES_MERGED,
                IDENTITIES_UNMERGED,
                MEMBERSHIP_CHANGED,
                *letters,
            ],
            emits=[],
            uses=[receipts],
            decode=fact_of,
            rest_seconds=RECEIPTS_REST_SECONDS,
        )
    ]
