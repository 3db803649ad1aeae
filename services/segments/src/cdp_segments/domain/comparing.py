"""How JSON values compare: what an operator means, in one place for traits and properties."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from pydantic import JsonValue

Comparison: TypeAlias = Callable[[JsonValue, JsonValue], bool]


def same(left: JsonValue, right: JsonValue) -> bool:
    """JSON equality: true is not 1, and 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def comparable(left: JsonValue, right: JsonValue) -> bool:
    """Whether two values have an order: two numbers or two texts."""
    return (number(left) and number(right)) or (isinstance(left, str) and isinstance(right, str))


def number(value: JsonValue) -> bool:
    """Whether the value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(whole: JsonValue, part: JsonValue) -> bool:
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    return isinstance(whole, list) and any(same(item, part) for item in whole)


def _within(value: JsonValue, choices: JsonValue) -> bool:
    return isinstance(choices, list) and any(same(value, choice) for choice in choices)


COMPARISONS: Final[Mapping[str, Comparison]] = {
    "==": same,
    "!=": lambda left, right: not same(left, right),
    ">": lambda left, right: comparable(left, right) and left > right,  # type: ignore[operator]  # comparable
    ">=": lambda left, right: comparable(left, right) and left >= right,  # type: ignore[operator]
    "<": lambda left, right: comparable(left, right) and left < right,  # type: ignore[operator]
    "<=": lambda left, right: comparable(left, right) and left <= right,  # type: ignore[operator]
    "contains": lambda left, right: left is not None and _contains(left, right),
    "in": lambda left, right: left is not None and _within(left, right),
    "exists": lambda left, _: left is not None,
    "missing": lambda left, _: left is None,
}
"""By operator. A missing value (null) fulfils only `missing` and `!=`."""


NUMBER_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


def compare_numbers(op: str, measured: float | None, threshold: float) -> bool:
    """Whether what was measured stands to the threshold as the operator says; nothing fulfils only `!=`."""
    return op == "!=" if measured is None else NUMBER_COMPARISONS[op](measured, threshold)


def check_operand(op: str, value: JsonValue, where: str) -> None:
    """ValueError naming the place and the rule if the operator cannot use the value."""
    if op in ("exists", "missing"):
        if value is not None:
            raise ValueError(f"{where}: {op!r} takes no value")
    elif op == "in":
        if not isinstance(value, list):
            raise ValueError(f"{where}: 'in' needs a list of values")
    elif op in (">", ">=", "<", "<="):
        if not (number(value) or isinstance(value, str)):
            raise ValueError(f"{where}: {op!r} needs a number or a text")
    elif value is None:
        raise ValueError(f"{where}: {op!r} needs a value; use 'exists' or 'missing' for null")


def lookup(values: Mapping[str, JsonValue], path: tuple[str, ...]) -> JsonValue:
    """The value at a path of nested objects; None if there is none."""
    found: JsonValue = values.get(path[0])
    for name in path[1:]:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found
