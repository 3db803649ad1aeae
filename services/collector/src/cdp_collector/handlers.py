"""What the service does. Read this page first: `take_in` is the edge, `validate_events` the validator."""

from __future__ import annotations

from cdp_contracts.events_v1 import EventReceived, EventRejected, EventValidated
from cdp_contracts.topics import EVENTS_RECEIVED, EVENTS_REJECTED, EVENTS_VALIDATED
from cdp_runtime.batch import Batch, Origin
from cdp_runtime.failures import Away
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Headers

from cdp_collector import metrics
from cdp_collector.domain.intake import Edge, Envelope, Intake
from cdp_collector.domain.requests import AWAY, Refusal
from cdp_collector.domain.sightings import Arrival, sighting_of
from cdp_collector.domain.validator import Validator
from cdp_collector.store import Dedup, EventLog


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
    for item in intake.refused:
        metrics.REFUSED.labels(intake.source.tenant, item.fault.rule).inc()


def stages(validator: Validator, dedup: Dedup) -> list[Stage[EventReceived]]:
    """The stages of the role `validator`."""
    emits = [EVENTS_VALIDATED, EVENTS_REJECTED]
    return [Stage(validate_events, reads=EVENTS_RECEIVED, emits=emits, uses=[validator, dedup])]
