"""A condition that somebody wrote, read strictly: each fault has a place, the rule, and the nearest word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import Any, Final, get_args

from cdp_contracts import conditions_v1, sequences_v1, windows_v1
from cdp_contracts.conditions_v1 import Condition, InSegment
from cdp_contracts.envelope import Contract
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cdp_segments.domain.leaves import walk

CONDITION: Final[TypeAdapter[Condition]] = TypeAdapter(Condition)
MOST_FAULTS: Final = 20
NAMES: Final = {**vars(conditions_v1), **vars(sequences_v1), **vars(windows_v1)}
MODELS: Final = tuple(m for m in NAMES.values() if isinstance(m, type) and issubclass(m, Contract))
WITH_KIND: Final = tuple(model.model_fields["kind"] for model in MODELS if "kind" in model.model_fields)
KINDS: Final = sorted({kind for field in WITH_KIND for kind in get_args(field.annotation)})
FIELDS: Final = sorted({name for model in MODELS for name in model.model_fields})


class Fault(BaseModel):
    """Something that makes no sense, and where."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(description="JSON pointer without the first slash, such as when/of/0/window")
    expected: str = Field(description="the rule")
    did_you_mean: str | None = Field(default=None, description="the nearest word that would be right")


class BadCondition(ValueError):  # noqa: N818
    """A condition that makes no sense."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__("the condition makes no sense")
        self.faults = tuple(faults)[:MOST_FAULTS]


def read_condition(value: object) -> Condition:
    """The condition; BadCondition with every fault if it is none. A field that nobody knows is a fault."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    try:
        return CONDITION.validate_python(value, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise BadCondition(fault_of(each, value) for each in found) from None


def check_references(condition: Condition, known: Iterable[str]) -> None:
    """BadCondition if the condition refers to a segment that is not there."""
    names = [*known]
    wanted = {leaf.segment for leaf in walk(condition) if isinstance(leaf, InSegment)} - {*names}
    if wanted:
        raise BadCondition(
            Fault(path="when", expected="the name of a live segment", did_you_mean=nearest(name, names))
            for name in sorted(wanted)
        )


def fault_of(error: Mapping[str, Any], value: object) -> Fault:
    """A fault as pydantic found it."""
    path, context = [*places(error["loc"], value)], error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return Fault(path=joined(path), expected="no such field here", did_you_mean=nearest(path[-1], FIELDS))
        case "union_tag_invalid":
            tag = str(context.get("tag", ""))
            allowed = [word.strip("' ") for word in str(context.get("expected_tags", "")).split(",")]
            return Fault(
                path=joined([*path, "kind"]),
                expected=f"one of {', '.join(allowed)}",
                did_you_mean=nearest(tag, allowed),
            )
        case "union_tag_not_found":
            return Fault(path=joined([*path, "kind"]), expected=f"one of {', '.join(KINDS)}")
        case "missing":
            return Fault(path=joined(path), expected="a value: this field is required")
        case _:
            return Fault(path=joined(path), expected=str(error["msg"]))


def places(location: Iterable[str | int], value: object) -> Iterator[str]:
    """Where in the JSON a fault is: pydantic also names the kind of each object on the way."""
    kind = kind_of(value)
    for step in location:
        if step == kind:
            kind = None
            continue
        yield str(step)
        value = inner(value, step)
        kind = kind_of(value)


def kind_of(value: object) -> object:
    """The kind that an object says it is of."""
    return value.get("kind") if isinstance(value, dict) else None


def inner(value: object, step: str | int) -> object:
    """What is at a key or an index; None if nothing is."""
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None


def joined(path: Iterable[str]) -> str:
    """As one text."""
    return "/".join(chain(("when",), path))


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant."""
    return next(iter(get_close_matches(word, [*words], n=1, cutoff=0.6)), None)
