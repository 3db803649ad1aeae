"""Tracking plans: which events a source may send, and what they must carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from cdp_contracts.definitions_v1 import EventRule, PropertyRule, TrackingPlanDefined
from cdp_contracts.envelope import JsonObject
from cdp_contracts.events_v1 import EventReceived, EventType
from pydantic import JsonValue

from cdp_collector.domain.clock import parsed_time
from cdp_collector.domain.rules import Fault, json_type, pointer_to

Rules: TypeAlias = Mapping[str, PropertyRule]

UNPLANNED: Final = "unplanned-event"


def plan_fault(plan: TrackingPlanDefined, event: EventReceived, kind: EventType) -> Fault | None:
    """The first rule of the plan that the event breaks. A consent event is never held against a plan."""
    if kind == "consent":
        return None
    return next(_faults(plan, event, kind), None)


def is_unplanned(plan: TrackingPlanDefined, event: EventReceived, kind: EventType) -> bool:
    """Whether the plan lets the event pass without knowing it, and wants it marked."""
    return kind == "track" and plan.unknown_events == "flag" and _event_name(event) not in plan.events


def _faults(plan: TrackingPlanDefined, event: EventReceived, kind: EventType) -> Iterator[Fault]:
    if kind == "track":
        rule = plan.events.get(_event_name(event))
        if rule is not None:
            yield from _event_faults(rule, _object(event.properties))
        elif plan.unknown_events == "reject":
            yield Fault("plan-event", "/event", f"an event of the plan {plan.name}", json_type(event.event))
    if kind != "group" and plan.traits:
        yield from _trait_faults(plan.traits, event, kind)


def _event_faults(rule: EventRule, properties: JsonObject) -> Iterator[Fault]:
    yield from _missing(rule.properties, properties, "properties")
    yield from _value_faults(rule.properties, properties, ("properties",))
    if rule.unknown_properties == "reject":
        for name, value in properties.items():
            if name not in rule.properties:
                yield Fault(
                    "plan-unknown", pointer_to("properties", name), "a property of the plan", json_type(value)
                )


def _trait_faults(rules: Rules, event: EventReceived, kind: EventType) -> Iterator[Fault]:
    own, beside = _object(event.traits), _object(_object(event.context).get("traits"))
    if kind == "identify":
        yield from _missing(rules, {**beside, **own}, "traits")
    yield from _value_faults(rules, own, ("traits",))
    yield from _value_faults(rules, beside, ("context", "traits"))


def _missing(rules: Rules, given: JsonObject, place: str) -> Iterator[Fault]:
    """Null is the same as absent."""
    for name, rule in rules.items():
        if rule.required and given.get(name) is None:
            yield Fault("plan-required", pointer_to(place, name), rule.type, "null")


def _value_faults(rules: Rules, values: JsonObject, place: tuple[str, ...]) -> Iterator[Fault]:
    for name, value in values.items():
        rule = rules.get(name)
        if rule is not None and value is not None:
            yield from _rule_faults(rule, value, (*place, name))


def _rule_faults(rule: PropertyRule, value: JsonValue, path: tuple[str, ...]) -> Iterator[Fault]:
    if not _has_type(rule.type, value):
        yield Fault("plan-type", pointer_to(*path), rule.type, json_type(value))
    elif rule.one_of is not None and value not in rule.one_of:
        yield Fault("plan-one-of", pointer_to(*path), f"one of {', '.join(rule.one_of)}", json_type(value))
    elif isinstance(value, int | float) and not _in_range(rule, value):
        yield Fault("plan-range", pointer_to(*path), _range(rule), json_type(value))


def _has_type(expected: str, value: JsonValue) -> bool:
    """Types as JSON Schema has them: 3.0 is an integer, true is no number."""
    found = json_type(value)
    match expected:
        case "number":
            return found in ("integer", "number")
        case "integer":
            return found == "integer" or (isinstance(value, float) and value.is_integer())
        case "date-time":
            return parsed_time(value) is not None
        case _:
            return found == expected


def _in_range(rule: PropertyRule, value: float) -> bool:
    above = rule.minimum is None or value >= rule.minimum
    return above and (rule.maximum is None or value <= rule.maximum)


def _range(rule: PropertyRule) -> str:
    least = "" if rule.minimum is None else f"at least {rule.minimum:g}"
    most = "" if rule.maximum is None else f"at most {rule.maximum:g}"
    return " and ".join(filter(None, (least, most)))


def _event_name(event: EventReceived) -> str:
    return event.event.strip() if isinstance(event.event, str) else ""


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}
