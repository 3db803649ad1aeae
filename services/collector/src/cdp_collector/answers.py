"""What the edge says. Error bodies name a rule and a place, never a value."""

from __future__ import annotations

from typing import Final, Literal

from cdp_contracts.events_v1 import EventRejected, EventValidated
from fastapi import Response
from pydantic import BaseModel, Field

from cdp_collector.domain.intake import Intake, Refused
from cdp_collector.domain.requests import Refusal
from cdp_collector.domain.rules import Fault
from cdp_collector.domain.sightings import Arrival
from cdp_collector.domain.validator import Validator

JSON: Final = "application/json"
MUST_WAIT: Final = (429, 503)


class ItemError(BaseModel):
    """One event of a batch that was not stored."""

    index: int = Field(description="its place in the batch, from 0")
    code: str = Field(description="the rule it breaks")
    message: str = Field(description="where, what was expected, and the JSON type that was found")


class Accepted(BaseModel):
    """Stored: acknowledged by the log. Whether an event is valid is decided later, see POST /v1/validate."""

    success: Literal[True] = True
    rejected: list[ItemError] | None = Field(default=None, description="events not stored, if there are any")


class Error(BaseModel):
    """Nothing was stored; a 503 may be tried again after Retry-After seconds."""

    success: Literal[False] = False
    code: str
    message: str
    rejected: list[ItemError] | None = None


class Validity(BaseModel):
    """What the validator would say of one event."""

    index: int = Field(description="its place in the batch, from 0")
    valid: bool
    rule: str | None = None
    pointer: str | None = Field(default=None, description="JSON pointer into the event")
    expected: str | None = None
    got: str | None = Field(default=None, description="the JSON type that was found")
    flags: list[str] | None = Field(default=None, description="quality marks of a valid event")


class Validation(BaseModel):
    """What the validator would say of a batch. Copies are not looked for."""

    success: Literal[True] = True
    valid: bool = Field(description="whether all are")
    results: list[Validity]


STORED: Final = Accepted().model_dump_json(exclude_none=True).encode()


def answer(outcome: Intake | Validation | Refusal, retry_after: int) -> Response:
    """The response to what came of a request."""
    if isinstance(outcome, Refusal):
        return refusal(outcome, retry_after)
    if isinstance(outcome, Validation):
        return _json(200, outcome)
    if outcome.taken:
        return _stored(outcome)
    errors = [item_error(item) for item in outcome.refused]
    return _json(400, Error(code=errors[0].code, message=errors[0].message, rejected=errors))


def _stored(outcome: Intake) -> Response:
    """A browser is given its cookie only with what was stored: with that, the consent for it."""
    errors = [item_error(item) for item in outcome.refused]
    response = _json(200, Accepted(rejected=errors)) if errors else Response(STORED, media_type=JSON)
    if outcome.reception and outcome.reception.cookie:
        response.headers["Set-Cookie"] = outcome.reception.cookie
    return response


def refusal(outcome: Refusal, retry_after: int) -> Response:
    """The response to a request that is refused as a whole."""
    response = _json(outcome.status, Error(code=outcome.code, message=outcome.message))
    if outcome.status in MUST_WAIT:
        response.headers["Retry-After"] = str(outcome.wait or retry_after)
    return response


def item_error(item: Refused) -> ItemError:
    """One refused event."""
    return ItemError(index=item.index, code=item.fault.rule, message=words(item.fault))


def validation(intake: Intake, validator: Validator) -> Validation:
    """What the validator says of each event, by its own function."""
    results = [_unfit(item.index, item.fault) for item in intake.refused]
    for item in intake.taken:
        arrival = Arrival("", 0, item.index, intake.received_at)
        results.append(_judged(item.index, validator.decide(item.event, arrival)))
    results.sort(key=lambda result: result.index)
    return Validation(valid=all(result.valid for result in results), results=results)


def _judged(index: int, message: EventValidated | EventRejected) -> Validity:
    if isinstance(message, EventRejected):
        fault = Fault(message.rule, message.pointer, message.expected, message.got)
        return _unfit(index, fault)
    return Validity(index=index, valid=True, flags=list(message.flags))


def _unfit(index: int, fault: Fault) -> Validity:
    return Validity(
        index=index, valid=False, rule=fault.rule, pointer=fault.pointer, expected=fault.expected, got=fault.got
    )


def words(fault: Fault) -> str:
    """A fault as a sentence."""
    return f"{fault.pointer or 'the event'}: expected {fault.expected}, got {fault.got}"


def _json(status: int, body: BaseModel) -> Response:
    return Response(body.model_dump_json(exclude_none=True), status_code=status, media_type=JSON)
