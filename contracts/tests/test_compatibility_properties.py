"""What the checker calls readable is readable: every message that a writer may write validates for the reader.

`jsonschema` is the judge. Schemas come at random, the reader's as an edited copy of the writer's, so that the
two are often nearly the same.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from cdp_contracts.compat import judge
from cdp_contracts.containment import Containment
from cdp_contracts.json_schema import Schema
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

Raw = dict[str, Any]
NAMES = ("a", "b", "c", "kind")
PATTERNS = ("^[ab]*$", "^a", "b$")
WORDS = ("", "a", "ab", "b1")


@st.composite
def span(draw: st.DrawFn, low: str, high: str, limit: int) -> Raw:
    """Two bounds in order, either of which may be absent."""
    first, second = sorted(draw(st.tuples(st.integers(0, limit), st.integers(0, limit))))
    bounds = {low: first, high: second}
    return {word: bounds[word] for word in draw(st.sets(st.sampled_from([low, high])))}


def texts() -> st.SearchStrategy[Raw]:
    patterns = st.sampled_from(PATTERNS).map(lambda p: {"type": "string", "pattern": p})
    return span("minLength", "maxLength", 3).map(lambda s: {"type": "string", **s}) | patterns


def numbers() -> st.SearchStrategy[Raw]:
    kinds = st.sampled_from(["integer", "number"])
    closed, half_open = span("minimum", "maximum", 4), span("exclusiveMinimum", "maximum", 4)
    gap_free = half_open.filter(lambda s: s.get("exclusiveMinimum", -1) + 1 <= s.get("maximum", 9))
    return st.builds(lambda kind, s: {"type": kind, **s}, kinds, closed | gap_free)


def values() -> st.SearchStrategy[Raw]:
    scalars = st.sampled_from([None, True, False, 0, 1, 2.5, *WORDS])
    return st.lists(scalars, min_size=1, max_size=3).map(lambda v: {"enum": v}) | scalars.map(
        lambda v: {"const": v}
    )


def plain() -> st.SearchStrategy[Raw]:
    return st.sampled_from([{}, {"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}])


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Raw]) -> Raw:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
    found: Raw = {"type": "object", "properties": properties}
    found["required"] = sorted(draw(st.sets(st.sampled_from(sorted(properties))))) if properties else []
    if draw(st.booleans()):
        found["additionalProperties"] = draw(st.sampled_from([True, False]) | inner)
    return found


@st.composite
def tagged(draw: st.DrawFn, inner: st.SearchStrategy[Raw]) -> Raw:
    variants = []
    for tag in draw(st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True)):
        variant = draw(objects(inner))
        variant["properties"]["kind"] = {"const": tag}
        variant["required"] = sorted({*variant["required"], "kind"})
        variants.append(variant)
    return {"oneOf": variants}


def grow(inner: st.SearchStrategy[Raw]) -> st.SearchStrategy[Raw]:
    arrays = st.builds(lambda i, s: {"type": "array", "items": i, **s}, inner, span("minItems", "maxItems", 3))
    unions = st.lists(inner, min_size=1, max_size=3).map(lambda v: {"anyOf": v})
    return objects(inner) | tagged(inner) | arrays | unions


SCHEMAS = st.recursive(texts() | numbers() | values() | plain(), grow, max_leaves=6).map(copy.deepcopy)


def places(raw: Raw) -> list[Raw]:
    """Every schema within a schema."""
    parts = [*raw.get("properties", {}).values(), *raw.get("anyOf", []), *raw.get("oneOf", [])]
    parts += [raw[word] for word in ("items", "additionalProperties") if isinstance(raw.get(word), dict)]
    return [raw, *(place for part in parts for place in places(part))]


@st.composite
def edited(draw: st.DrawFn, original: Raw) -> Raw:
    """A copy with a few changes: of a bound, of a field, of what is required, of a variant, of a whole place."""
    copied = copy.deepcopy(original)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(places(copied)))
        kind = draw(st.sampled_from(["replace", "drop", "nudge", "nudge", "add", "require", "widen"]))
        bounds = sorted(word for word in place if isinstance(place[word], int) and word[:2] in ("mi", "ma", "ex"))
        if kind == "replace":
            other = draw(SCHEMAS)
            place.clear()
            place.update(other)
        elif kind == "drop" and place:
            del place[draw(st.sampled_from(sorted(place)))]
        elif kind == "nudge" and bounds:
            place[draw(st.sampled_from(bounds))] += draw(st.sampled_from([-1, 1]))
        elif kind == "nudge" and "pattern" in place:
            place["pattern"] = draw(st.sampled_from(PATTERNS))
        elif kind == "add" and "properties" in place:
            place["properties"].setdefault(draw(st.sampled_from(NAMES)), draw(SCHEMAS))
        elif kind == "require" and place.get("properties"):
            place["required"] = sorted(draw(st.sets(st.sampled_from(sorted(place["properties"])))))
        elif kind == "widen" and ("anyOf" in place or "oneOf" in place):
            place["anyOf" if "anyOf" in place else "oneOf"].append(draw(SCHEMAS))
    return copied


@st.composite
def written(draw: st.DrawFn, raw: Raw) -> Any:
    """A value that a writer by this schema may write: declared fields only, unless it says otherwise."""
    if "anyOf" in raw or "oneOf" in raw:
        return draw(written(draw(st.sampled_from(raw.get("anyOf") or raw["oneOf"]))))
    if "const" in raw or "enum" in raw:
        return draw(st.sampled_from(raw.get("enum", [raw.get("const")])))
    types = raw.get("type", ["null", "boolean", "number", "string", "array", "object"])
    kind = draw(st.sampled_from(types)) if isinstance(types, list) else types
    by_kind: dict[str, st.SearchStrategy[Any]] = {
        "null": st.none(),
        "boolean": st.booleans(),
        "string": written_text(raw),
        "array": written_array(raw),
        "object": written_object(raw),
        "integer": written_number(raw, whole=True),
        "number": written_number(raw, whole=False),
    }
    return draw(by_kind[kind])


@st.composite
def written_array(draw: st.DrawFn, raw: Raw) -> list[Any]:
    low = raw.get("minItems", 0)
    count = draw(st.integers(low, min(raw.get("maxItems", low + 2), low + 2)))
    return [draw(written(raw.get("items", {"const": 1}))) for _ in range(count)]


@st.composite
def written_number(draw: st.DrawFn, raw: Raw, *, whole: bool) -> float:
    low = max(raw.get("minimum", -9), raw.get("exclusiveMinimum", -9))
    high = raw.get("maximum", 9)
    numbers = st.integers(low, high) if whole else st.integers(low, high) | st.floats(low, high)
    return draw(numbers.filter(lambda n: n > raw.get("exclusiveMinimum", -10)))


@st.composite
def written_text(draw: st.DrawFn, raw: Raw) -> str:
    low = raw.get("minLength", 0)
    text = st.text("ab1", min_size=low, max_size=raw.get("maxLength", low + 3))
    return draw(text.filter(lambda t: re.search(raw.get("pattern", ""), t)))


@st.composite
def written_object(draw: st.DrawFn, raw: Raw) -> Raw:
    properties = raw.get("properties", {})
    required = raw.get("required", [])
    names = [name for name in properties if name in required or draw(st.booleans())]
    found = {name: draw(written(properties[name])) for name in names}
    more = raw.get("additionalProperties", False)
    if more is not False:
        others = st.sampled_from([*NAMES, "d", "e"]).filter(lambda name: name not in properties)
        for name in draw(st.lists(others, max_size=2)):
            found[name] = draw(written(more if isinstance(more, dict) else {}))
    return found


def satisfiable(raw: Raw) -> bool:
    return all("enum" not in p or p["enum"] for p in places(raw)) and all(
        set(p.get("required", ())) <= p.get("properties", {}).keys() for p in places(raw)
    )


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(data=st.data(), writer=SCHEMAS.filter(satisfiable))
def test_a_reader_without_gaps_takes_everything_the_writer_writes(data: st.DataObject, writer: Raw) -> None:
    reader = data.draw(edited(writer))
    readable = not list(Containment().gaps(Schema.of(writer), Schema.of(reader)))
    event("readable" if readable else "not readable")
    if readable:
        message = data.draw(written(writer))
        assert Draft202012Validator(reader).is_valid(message), (writer, reader, message)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=SCHEMAS, name=st.just("added"), added=SCHEMAS)
def test_an_added_optional_field_is_always_compatible(schema: Raw, name: str, added: Raw) -> None:
    old = {"type": "object", "properties": {"kept": schema}, "required": ["kept"]}
    new = {**old, "properties": {"kept": schema, name: added}}
    before, after = judge(old, old), judge(old, new)
    assert after.new_reads_old == before.new_reads_old
    assert after.old_reads_new == before.old_reads_new


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=SCHEMAS.filter(lambda raw: not any("oneOf" in place for place in places(raw))))
def test_a_schema_without_overlapping_variants_is_the_same_as_itself(schema: Raw) -> None:
    assert judge(schema, copy.deepcopy(schema)).same
