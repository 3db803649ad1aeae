"""The whole decision about one event: authenticate, check, correct, hold against the plan, normalize."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdp_contracts.definitions_v1 import SourceDefined
from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import EventReceived, EventRejected, EventValidated

from cdp_collector.domain.bounds import as_sent, bounds_fault
from cdp_collector.domain.browsers import browser_of
from cdp_collector.domain.catalogue import Catalogue
from cdp_collector.domain.clock import Moment, moment_of
from cdp_collector.domain.consent import event_type, signals_of
from cdp_collector.domain.limits import Limits
from cdp_collector.domain.normalize import normalized
from cdp_collector.domain.plan import UNPLANNED, is_unplanned, plan_fault
from cdp_collector.domain.rules import Fault, json_type
from cdp_collector.domain.sightings import Arrival
from cdp_collector.domain.structure import Pseudonym, own_message_id, structure_fault, subject_of

UNKNOWN: Final = "unknown"
PLAN_MISSING: Final = "plan-missing"
LONGEST_POINTER: Final = 300
LONGEST_EXPECTATION: Final = 300


@dataclass(frozen=True, slots=True)
class _Case:
    """An event with all that is known about it from outside."""

    sent: EventReceived
    message_id: str
    received_at: datetime
    source: SourceDefined | None


class Validator:
    """Decides about events. Pure: the same event, arrival and definitions give the same message, ids included."""

    def __init__(self, catalogue: Catalogue, pseudonym: Pseudonym, limits: Limits) -> None:
        self._catalogue = catalogue
        self._pseudonym = pseudonym
        self._limits = limits

    def decide(self, sent: EventReceived, arrival: Arrival) -> EventValidated | EventRejected:
        """The validated event, or the first rule it breaks. Never raises, whatever JSON was sent."""
        received_at = sent.edge.received_at if sent.edge else arrival.at
        message_id = own_message_id(sent, self._limits) or str(derived_id(arrival.identity, "message"))
        source = self._source_of(sent, received_at)
        case = _Case(sent, message_id, received_at, source)
        if source is None:
            fault = Fault(
                "write-key", "/writeKey", "the write key of an enabled source", json_type(sent.write_key)
            )
            return _rejected(case, fault)
        found = self._judged(sent, source, received_at)
        return _rejected(case, found) if isinstance(found, Fault) else self._validated(case, source, found)

    def _source_of(self, sent: EventReceived, received_at: datetime) -> SourceDefined | None:
        """The edge has checked the key already; what came straight onto the broker brings its own."""
        if sent.edge:
            return self._catalogue.source_named(sent.edge.tenant, sent.edge.source, received_at)
        key = sent.write_key
        return self._catalogue.source_of_key(key, received_at) if isinstance(key, str) else None

    def _judged(self, sent: EventReceived, source: SourceDefined, received_at: datetime) -> Moment | Fault:
        fault = bounds_fault(as_sent(sent), self._limits) or structure_fault(sent, self._limits)
        moment = fault or moment_of(sent, received_at, self._limits)
        if isinstance(moment, Fault) or not source.tracking_plan:
            return moment
        plan = self._catalogue.plan_of(source, received_at)
        if plan is None:
            return moment.marked(PLAN_MISSING)
        kind = event_type(sent)
        marked = moment.marked(UNPLANNED) if is_unplanned(plan, sent, kind) else moment
        return plan_fault(plan, sent, kind) or marked

    def _validated(self, case: _Case, source: SourceDefined, moment: Moment) -> EventValidated:
        kind = event_type(case.sent)
        browser = browser_of(case.sent, source, moment.at, self._pseudonym)
        return EventValidated(
            tenant=source.tenant,
            id=derived_id(f"{source.tenant}/{case.message_id}", "validated"),
            message_id=case.message_id,
            occurred_at=moment.at,
            received_at=case.received_at,
            subject=self._pseudonym(source.tenant, "subject", subject_of(case.sent) or ""),
            source=source.name,
            event=normalized(case.sent, kind, browser),
            signals=signals_of(case.sent, kind, source.jurisdiction),
            flags=moment.flags,
        )


def _rejected(case: _Case, fault: Fault) -> EventRejected:
    """An event of an unknown source belongs to the tenant `unknown`: what it claims is nobody's word."""
    tenant = case.source.tenant if case.source else UNKNOWN
    return EventRejected(
        tenant=tenant,
        id=derived_id(f"{tenant}/{case.message_id}", "rejected"),
        message_id=case.message_id,
        occurred_at=case.received_at,
        received_at=case.received_at,
        source=case.source.name if case.source else UNKNOWN,
        rule=fault.rule,
        pointer=fault.pointer[:LONGEST_POINTER],
        expected=fault.expected[:LONGEST_EXPECTATION],
        got=fault.got,
        owner=case.source.owner if case.source else "",
    )
