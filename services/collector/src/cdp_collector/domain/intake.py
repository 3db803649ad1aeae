"""A request's events, made ready for the log: each by itself, so that one bad event refuses no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdp_contracts.definitions_v1 import FirstParty, SourceDefined
from cdp_contracts.envelope import JsonObject
from cdp_contracts.events_v1 import EdgeStamp, EventReceived
from pydantic import JsonValue

from cdp_collector.domain.bounds import bounds_fault
from cdp_collector.domain.catalogue import Catalogue
from cdp_collector.domain.clock import parsed_time
from cdp_collector.domain.limits import Limits
from cdp_collector.domain.requests import UNKNOWN_KEY, Refusal, parsed_body, too_often, write_keys
from cdp_collector.domain.rules import Fault, json_type
from cdp_collector.domain.structure import Pseudonym, subject_of
from cdp_collector.domain.visitors import Reception, Visitors, answer_of

NOT_STORED: Final = ("writeKey", "write_key", "edge")
"""What a sender may not say of itself: the edge says it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the edge knows of a request beside its body."""

    authorization: str | None
    gpc: bool
    jurisdiction: str | None
    received_at: datetime
    origin: str | None = None
    cookies: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """An event to be stored, and the key that keeps the order of its subject; None if it has no subject."""

    index: int
    event: EventReceived
    key: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that cannot be carried."""

    index: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Intake:
    """The events of a request, sorted."""

    source: SourceDefined
    received_at: datetime
    taken: tuple[Taken, ...]
    refused: tuple[Refused, ...]
    reception: Reception | None = None


class Edge:
    """Reads requests. Pure but for the ids that `mint` makes for events and visitors that bring none, and `wait`.

    `wait` counts the requests of a source and says for how many seconds it is to wait, 0 if not at all.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        pseudonym: Pseudonym,
        limits: Limits,
        *,
        body_bytes: int,
        mint: Callable[[], str],
        wait: Callable[[str], int],
        visitors: Visitors,
    ) -> None:
        self._catalogue = catalogue
        self._pseudonym = pseudonym
        self._limits = limits
        self._body_bytes = body_bytes
        self._mint = mint
        self._wait = wait
        self._visitors = visitors

    def read(self, raw: bytes, kind: str | None, envelope: Envelope) -> Intake | Refusal:
        """Authenticate a request and make its events ready, each with the edge's stamp and a message id.

        With a `kind`, the body is one event of that type, else a batch. `context` and `sentAt` of the batch
        hold for each of its events that does not say otherwise.
        """
        body = parsed_body(raw, self._body_bytes)
        if isinstance(body, Refusal):
            return body
        source = _source(body, envelope, self._catalogue)
        if source is None:
            return UNKNOWN_KEY
        wait = self._wait(f"{source.tenant}/{source.name}")
        if wait:
            return too_often(wait)
        batch = _batch(body, kind, self._limits)
        if isinstance(batch, Refusal):
            return batch
        reception = self._receive(source, envelope, batch)
        stamp = _Stamp.of(source, envelope, parsed_time(batch.sent_at), reception)
        items = list(_sorted(batch, stamp, self._limits, self._mint, self._pseudonym))
        return Intake(
            source,
            envelope.received_at,
            tuple(item for item in items if isinstance(item, Taken)),
            tuple(item for item in items if isinstance(item, Refused)),
            reception,
        )

    def _receive(self, source: SourceDefined, envelope: Envelope, batch: _Batch) -> Reception | None:
        if source.first_party is None:
            return None
        answers = {_answer(item, source.first_party, gpc=envelope.gpc) for item in batch.items}
        return self._visitors.receive(
            source, origin=envelope.origin, cookies=envelope.cookies, answers=answers, now=envelope.received_at
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    """The events of a request, each with the batch's context where it says nothing itself."""

    items: list[JsonValue]
    sent_at: JsonValue


def _batch(body: JsonObject, kind: str | None, limits: Limits) -> _Batch | Refusal:
    if kind is not None:
        return _Batch([_merged({**body, "type": kind}, {})], None)
    items, context = body.get("batch"), body.get("context")
    if not isinstance(items, list) or not items:
        return Refusal(400, "batch", "batch must be an array of at least one event")
    if len(items) > limits.batch_events:
        return Refusal(400, "batch-size", f"a batch may have {limits.batch_events} events")
    if context is not None and not isinstance(context, dict):
        return Refusal(400, "context", "context must be an object")
    return _Batch([_merged(item, context or {}) for item in items], body.get("sentAt"))


def _source(body: JsonObject, envelope: Envelope, catalogue: Catalogue) -> SourceDefined | None:
    found = (
        catalogue.source_of_key(key, envelope.received_at) for key in write_keys(envelope.authorization, body)
    )
    return next(filter(None, found), None)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What the edge says on an event: with what it knows of the browser, where the event allows that."""

    plain: EdgeStamp
    known: EdgeStamp
    rule: FirstParty | None

    @classmethod
    def of(
        cls, source: SourceDefined, envelope: Envelope, sent_at: datetime | None, reception: Reception | None
    ) -> _Stamp:
        plain = EdgeStamp(
            tenant=source.tenant,
            source=source.name,
            received_at=envelope.received_at,
            sent_at=sent_at,
            gpc=envelope.gpc,
            jurisdiction=envelope.jurisdiction,
        )
        if reception is None or reception.first_party_id is None:
            return cls(plain, plain, None)
        found = {"first_party_id": reception.first_party_id, "visit": reception.visit}
        return cls(plain, plain.model_copy(update=found), source.first_party)

    def on(self, event: JsonObject) -> EdgeStamp:
        return self.known if _answer(event, self.rule, gpc=self.plain.gpc) else self.plain


def _answer(event: JsonValue, rule: FirstParty | None, *, gpc: bool) -> bool | None:
    context = event.get("context") if isinstance(event, dict) else None
    return answer_of(context.get("consent") if isinstance(context, dict) else None, rule, gpc=gpc)


def _sorted(
    batch: _Batch, stamp: _Stamp, limits: Limits, mint: Callable[[], str], pseudonym: Pseudonym
) -> Iterator[Taken | Refused]:
    for index, item in enumerate(batch.items):
        if not isinstance(item, dict):
            yield Refused(index, Fault("object", "", "an object", json_type(item)))
            continue
        fault = bounds_fault(item, limits)
        if fault is not None:
            yield Refused(index, fault)
            continue
        if item.get("messageId") in (None, ""):
            item["messageId"] = mint()
        event = EventReceived.model_validate({**item, "edge": stamp.on(item)})
        subject = subject_of(event)
        yield Taken(index, event, subject and pseudonym(stamp.plain.tenant, "subject", subject))


def _merged(item: JsonValue, context: JsonObject) -> JsonValue:
    """The event with the batch's context where it says nothing itself, without what only the edge may say."""
    if not isinstance(item, dict):
        return item
    merged = {name: value for name, value in item.items() if name not in NOT_STORED}
    own = merged.get("context")
    if context and (own is None or isinstance(own, dict)):
        merged["context"] = {**context, **(own or {})}
    return merged
