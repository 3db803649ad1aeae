"""Whether a reader by one JSON Schema takes everything that a writer by another may write.

Writers write the fields that their schema declares and no others; readers pass over fields they do not know.
The answer errs on one side: what cannot be decided counts as a gap. Recursive schemas are compared as regular
trees: a pair met again on the way down holds unless something else breaks (Amadio and Cardelli 1993).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pydantic import JsonValue

from cdp_contracts.json_schema import Schema

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that a writer may write and a reader would refuse. `path`: /field, /list/[], /map/*."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path or '/'}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Containment:
    """Compares a writer's schema with a reader's. With `keeps_fields`, a field no longer written is a gap."""

    keeps_fields: bool = False
    met: frozenset[Pair] = frozenset()

    def gaps(self, writer: Schema, reader: Schema, path: str = "") -> Iterator[Gap]:
        """Everything the reader would refuse; nothing if it takes all."""
        pair = (writer.text, reader.text)
        if reader.takes_anything or pair in self.met:
            return
        inner = replace(self, met=self.met | {pair})
        if unjudged := unlike_rules(writer, reader):
            yield Gap(path, f"cannot be judged: {', '.join(unjudged)}")
        elif writer.unions:
            for alternatives in writer.unions.values():
                for alternative in alternatives:
                    yield from inner.gaps(alternative, reader, path)
        elif reader.unions:
            for piece in writer.pieces():
                yield from inner.union_gaps(piece, reader, path)
            yield from inner.gaps(writer, reader.without_unions(), path)
        elif writer.values is not None:
            yield from (Gap(path, why) for value in writer.values for why in refusals(value, reader))
        elif reader.values is not None:
            yield Gap(path, f"may be anything, must be one of {shown(reader.values)}")
        else:
            yield from inner.type_gaps(writer, reader, path)

    def union_gaps(self, piece: Schema, reader: Schema, path: str) -> Iterator[Gap]:
        """Each part must fit an alternative of the reader; under `oneOf` exactly one."""
        for word, alternatives in reader.unions.items():
            near = [alternative for alternative in alternatives if not apart(piece, alternative)]
            tried = [list(self.gaps(piece, alternative, path)) for alternative in near]
            if not near:
                yield Gap(path, f"no variant for {label(piece)}")
            elif all(tried):
                yield from min(tried, key=len)
            elif word == "oneOf" and len(near) > 1:
                yield Gap(path, f"more than one variant may fit {label(piece)}")

    def type_gaps(self, writer: Schema, reader: Schema, path: str) -> Iterator[Gap]:
        """The types and the rules of each."""
        taken = reader.types | ({"integer"} if "number" in reader.types else set())
        if foreign := writer.types - taken:
            yield Gap(path, f"may be {either(foreign)}, must be {either(reader.types)}")
        shared = writer.types & taken
        if "object" in shared:
            yield from self.object_gaps(writer, reader, path)
        if "array" in shared:
            yield from self.array_gaps(writer, reader, path)
        if "string" in shared:
            yield from string_gaps(writer, reader, path)
        if shared & {"number", "integer"}:
            yield from number_gaps(writer, reader, path, whole="number" not in shared)

    def object_gaps(self, writer: Schema, reader: Schema, path: str) -> Iterator[Gap]:
        """Fields: required, declared, undeclared."""
        for name in sorted(reader.required - writer.required):
            seldom = "may be missing" if writer.open or name in writer.properties else "is never written"
            yield Gap(f"{path}/{name}", f"{seldom}, is required")
        for name, written in writer.properties.items():
            yield from self.gaps(written, reader.properties.get(name, reader.others), f"{path}/{name}")
        undeclared = reader.properties.keys() - writer.properties.keys()
        if writer.open:
            yield from self.gaps(writer.others, reader.others, f"{path}/*")
            for name in sorted(undeclared):
                yield from self.gaps(writer.others, reader.properties[name], f"{path}/{name}")
        elif self.keeps_fields:
            for name in sorted(undeclared - reader.required):
                yield Gap(f"{path}/{name}", "is no longer written: its default would pass for the truth")
        yield from self.name_gaps(writer, reader, path)
        most = None if writer.open else len(writer.properties)
        yield from size_gaps("Properties", writer, reader, path, fewest=len(writer.required), most=most)

    def name_gaps(self, writer: Schema, reader: Schema, path: str) -> Iterator[Gap]:
        """Names of fields."""
        names = reader.part("propertyNames")
        for name in writer.properties:
            yield from self.gaps(Schema({}, {"const": name}), names, f"{path}/{name}")
        if writer.open:
            written = {"type": "string", **writer.part("propertyNames").node}
            yield from self.gaps(Schema(writer.root, written), names, f"{path}/*")

    def array_gaps(self, writer: Schema, reader: Schema, path: str) -> Iterator[Gap]:
        """Items."""
        yield from self.gaps(writer.part("items"), reader.part("items"), f"{path}/[]")
        yield from size_gaps("Items", writer, reader, path)
        if reader.node.get("uniqueItems") is True and writer.node.get("uniqueItems") is not True:
            yield Gap(path, "may repeat items, must not")


def string_gaps(writer: Schema, reader: Schema, path: str) -> Iterator[Gap]:
    """Strings: patterns and formats are compared by their text alone."""
    for word in ("pattern", "format"):
        rule = reader.node.get(word)
        if rule is not None and rule != writer.node.get(word):
            yield Gap(path, f"need not have the {word} {rule}")
    yield from size_gaps("Length", writer, reader, path)


def size_gaps(
    noun: str, writer: Schema, reader: Schema, path: str, *, fewest: int = 0, most: int | None = None
) -> Iterator[Gap]:
    """Lengths of strings, arrays and objects."""
    low = max(writer.number(f"min{noun}") or 0, fewest)
    high = min(h for h in (writer.number(f"max{noun}"), most, math.inf) if h is not None)
    if low < (reader.number(f"min{noun}") or 0):
        yield Gap(path, f"may be shorter than min{noun} {reader.number(f'min{noun}'):g}")
    limit = reader.number(f"max{noun}")
    if limit is not None and high > limit:
        yield Gap(path, f"may be longer than max{noun} {limit:g}")


def number_gaps(writer: Schema, reader: Schema, path: str, *, whole: bool) -> Iterator[Gap]:
    """Numbers: bounds and steps."""
    if lowest(writer, whole=whole) < lowest(reader, whole=whole):
        yield Gap(path, "may be below the lower bound")
    if highest(writer, whole=whole) > highest(reader, whole=whole):
        yield Gap(path, "may be above the upper bound")
    step = reader.number("multipleOf")
    if step is not None and step != writer.number("multipleOf") and not (whole and step == 1):
        yield Gap(path, f"need not be a multiple of {step:g}")


def lowest(schema: Schema, *, whole: bool) -> tuple[float, bool]:
    """The lower bound, and whether it lies outside; of whole numbers the smallest one inside."""
    inside = bound(schema, "minimum", -math.inf)
    outside = bound(schema, "exclusiveMinimum", -math.inf)
    low, excluded = max((inside, False), (outside, outside > -math.inf))
    if not whole or math.isinf(low):
        return low, excluded
    return (math.floor(low) + 1 if excluded else math.ceil(low)), False


def highest(schema: Schema, *, whole: bool) -> tuple[float, bool]:
    """The upper bound, and whether it lies inside; of whole numbers the greatest one inside."""
    inside = bound(schema, "maximum", math.inf)
    outside = bound(schema, "exclusiveMaximum", math.inf)
    high, included = min((inside, True), (outside, outside == math.inf))
    if not whole or math.isinf(high):
        return high, included
    return (math.floor(high) if included else math.ceil(high) - 1), True


def bound(schema: Schema, word: str, unbounded: float) -> float:
    """A bound, or where it would be without one."""
    value = schema.number(word)
    return unbounded if value is None else value


def refusals(value: JsonValue, reader: Schema) -> Iterator[str]:
    """Why a reader without alternatives refuses a value."""
    if reader.values is not None and not among(value, reader.values):
        yield f"may be {value!r}, must be one of {shown(reader.values)}"
    elif not reader.types & types_of(value):
        yield f"may be {value!r}, must be {either(reader.types)}"
    elif isinstance(value, str):
        yield from (gap.problem for gap in string_gaps(exactly(value, reader), reader, ""))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        exact = Schema({}, {"minimum": value, "maximum": value})
        yield from (gap.problem for gap in number_gaps(exact, reader, "", whole=False))
    elif isinstance(value, dict | list):
        yield f"cannot be judged: {value!r}"


def exactly(value: str, reader: Schema) -> Schema:
    """The schema of one string, with the reader's pattern if the string has it."""
    pattern = reader.node.get("pattern")
    fits = {"pattern": pattern} if isinstance(pattern, str) and re.search(pattern, value) else {}
    return Schema({}, {"minLength": len(value), "maxLength": len(value), **fits})


def apart(piece: Schema, reader: Schema) -> bool:
    """Whether no value fits both: other types, other values, or another tag where the reader requires one."""
    if not (kinds(piece) & kinds(reader)):
        return True
    if piece.values is not None and reader.values is not None:
        return not any(among(value, reader.values) for value in piece.values)
    if piece.types != {"object"} or piece.unions or reader.unions:
        return False
    return any(other_tag(piece, name, reader.properties[name].values) for name in reader.required
               if name in reader.properties)  # fmt: skip


def other_tag(piece: Schema, name: str, wanted: tuple[JsonValue, ...] | None) -> bool:
    """Whether a field never holds one of the wanted values."""
    if name not in piece.properties:
        return not piece.open
    written = piece.properties[name].values
    return wanted is not None and written is not None and not any(among(value, wanted) for value in written)


def kinds(schema: Schema) -> frozenset[str]:
    """The types it may take, whole numbers counted as numbers."""
    if schema.unions:
        parts = [part for alternatives in schema.unions.values() for part in alternatives]
        return frozenset(name for part in parts for name in kinds(part))
    if schema.values is not None:
        return frozenset(name for value in schema.values for name in types_of(value)) - {"integer"}
    return frozenset("number" if name == "integer" else name for name in schema.types)


def types_of(value: JsonValue) -> frozenset[str]:
    """The JSON types that a value belongs to."""
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case str():
            return frozenset({"string"})
        case int() | float():
            return frozenset({"number", "integer"} if value == int(value) else {"number"})
        case list():
            return frozenset({"array"})
        case _:
            return frozenset({"object"})


def among(value: JsonValue, values: Iterable[JsonValue]) -> bool:
    """Whether a value is one of these; true is not 1."""
    return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in values)


def unlike_rules(writer: Schema, reader: Schema) -> list[str]:
    """The keywords that are not understood and do not stand on both sides alike, or lead elsewhere."""
    words = writer.unknown.keys() | reader.unknown.keys()
    rules = {word: (writer.unknown.get(word), reader.unknown.get(word)) for word in words}
    return sorted(word for word, (ours, theirs) in rules.items() if ours != theirs or "$ref" in str(ours))


def label(piece: Schema) -> str:
    """How to call a part of a union: by its tag, its value or its type."""
    if piece.values is not None:
        return shown(piece.values)
    tagged = (f"{name} {shown(field.values)}" for name, field in piece.properties.items() if field.values)
    return next(tagged, either(piece.types))


def either(names: Iterable[str]) -> str:
    """One of these, in words."""
    return " or ".join(sorted(names))


def shown(values: Iterable[JsonValue]) -> str:
    """Values in words."""
    return ", ".join(repr(value) for value in values)
