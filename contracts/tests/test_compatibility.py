"""The two-way checker, case by case: what a change means for old readers and for old messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from cdp_contracts.compat import Order, judge
from cdp_contracts.envelope import Contract, JsonObject, Pseudonym, UtcDatetime
from cdp_contracts.generate.schemas import PlainJsonSchema, schema_of
from cdp_contracts.topics import TOPICS
from pydantic import BaseModel, Field, JsonValue, create_model


def schema(model: type[BaseModel]) -> JsonObject:
    return model.model_json_schema(schema_generator=PlainJsonSchema)


def message(kind: Any, default: Any = ...) -> JsonObject:
    """The schema of a message that has one field of this type beside its id."""
    return schema(create_model("Message", __base__=Contract, id=(str, ...), field=(kind, default)))


def bare() -> JsonObject:
    """The schema of that message without the field."""
    return schema(create_model("Message", __base__=Contract, id=(str, ...)))


def tagged(tag: str) -> JsonObject:
    return {"type": "object", "properties": {"kind": {"const": tag}}, "required": ["kind"]}


class View(Contract):
    kind: Literal["view"] = "view"
    page: str


class Sale(Contract):
    kind: Literal["sale"] = "sale"
    total: float


class Refund(Contract):
    kind: Literal["refund"] = "refund"
    total: float


class SaleWithTax(Contract):
    kind: Literal["sale"] = "sale"
    total: float
    tax: float | None = None


TwoActs = Annotated[View | Sale, Field(discriminator="kind")]
ThreeActs = Annotated[View | Sale | Refund, Field(discriminator="kind")]
TaxedActs = Annotated[View | SaleWithTax, Field(discriminator="kind")]

SAME = [
    (message(str), message(str)),
    (message(str), message(Annotated[str, Field(description="in other words")])),
    (message(int, 1), message(int, 2)),
    (message(TwoActs), message(Annotated[Sale | View, Field(discriminator="kind")])),
    (message(Literal["a", "b"]), message(Literal["b", "a"])),
    (message(Annotated[int, Field(ge=1)]), message(Annotated[int, Field(gt=0)])),
]
COMPATIBLE = [
    (bare(), message(str | None, None)),
    (bare(), message(int, 3)),
    (bare(), message(tuple[str, ...], ())),
    (bare(), message(JsonValue, None)),
    (bare(), message(dict[str, int], {})),
    (message(TwoActs), message(TaxedActs)),
    (message(dict[str, Sale]), message(dict[str, SaleWithTax])),
    (message(tuple[Sale, ...]), message(tuple[SaleWithTax, ...])),
]
READERS_FIRST = [
    (message(str), message(str, "")),
    (message(str), message(str | None)),
    (message(int), message(float)),
    (message(Sale), message(JsonValue)),
    (message(Literal["a"]), message(Literal["a", "b"])),
    (message(Literal["a", "b"]), message(str)),
    (message(TwoActs), message(ThreeActs)),
    (message(View), message(View | Sale)),
    (message(Annotated[str, Field(max_length=10)]), message(Annotated[str, Field(max_length=11)])),
    (message(Annotated[str, Field(min_length=1)]), message(str)),
    (message(Annotated[str, Field(pattern="^a")]), message(str)),
    (message(Annotated[int, Field(ge=1)]), message(Annotated[int, Field(ge=0)])),
    (message(Annotated[float, Field(lt=1)]), message(Annotated[float, Field(le=1)])),
    (message(Annotated[float, Field(gt=0)]), message(Annotated[float, Field(ge=0)])),
    (message(Annotated[int, Field(multiple_of=5)]), message(int)),
    (message(Annotated[tuple[str, ...], Field(max_length=3)]), message(tuple[str, ...])),
    (message(Annotated[dict[str, int], Field(min_length=1)]), message(dict[str, int])),
    (message(Pseudonym), message(str)),
    (message(UtcDatetime), message(str)),
    (message(dict[str, bool]), message(dict[str, bool | None])),
    (message(dict[Literal["a", "b"], int]), message(dict[str, int])),
    (message(tuple[Literal["a"], ...]), message(tuple[Literal["a", "b"], ...])),
    (message(bool), message(Literal[True, False, "unknown"])),
    (message(str), bare()),
]
BREAKING = [
    (message(str), message(int)),
    (message(str), message(tuple[str, ...])),
    (message(Sale), message(View)),
    (message(TwoActs), message(Annotated[View | Refund, Field(discriminator="kind")])),
    (message(Literal["a", "b"]), message(Literal["b", "c"])),
    (message(Annotated[str, Field(pattern="^a")]), message(Annotated[str, Field(pattern="^b")])),
    (message(Annotated[int, Field(ge=0, le=10)]), message(Annotated[int, Field(ge=5, le=15)])),
    (message(Pseudonym), message(UtcDatetime)),
    (message(bool), message(Literal[0, 1])),
    (message(dict[str, int]), message(dict[str, str])),
]
LOST_FIELD = [
    (message(str | None, None), bare()),
    (message(TaxedActs), message(TwoActs)),
    (message(tuple[SaleWithTax, ...]), message(tuple[Sale, ...])),
]


@pytest.mark.parametrize(("old", "new"), SAME)
def test_words_defaults_and_spelling_change_nothing(old: JsonObject, new: JsonObject) -> None:
    assert judge(old, new).order is Order.ANY
    assert judge(old, new).compatible


@pytest.mark.parametrize(("old", "new"), COMPATIBLE)
def test_an_added_optional_field_is_compatible_and_readers_go_first(old: JsonObject, new: JsonObject) -> None:
    judgement = judge(old, new)
    assert judgement.compatible, judgement
    assert judgement.order is Order.READERS


@pytest.mark.parametrize(("old", "new"), READERS_FIRST)
def test_what_takes_more_than_before_works_with_readers_first_only(old: JsonObject, new: JsonObject) -> None:
    judgement = judge(old, new)
    assert judgement.order is Order.READERS, judgement
    assert not judgement.compatible


@pytest.mark.parametrize(("new", "old"), READERS_FIRST)
def test_what_takes_less_than_before_works_with_writers_first_only(old: JsonObject, new: JsonObject) -> None:
    judgement = judge(old, new)
    assert judgement.order is Order.WRITERS, judgement
    assert not judgement.compatible


@pytest.mark.parametrize(("old", "new"), BREAKING)
def test_what_neither_side_understands_has_no_order(old: JsonObject, new: JsonObject) -> None:
    judgement = judge(old, new)
    assert judgement.order is Order.NEITHER, judgement
    assert judgement.new_reads_old
    assert judgement.old_reads_new


@pytest.mark.parametrize(("old", "new"), LOST_FIELD)
def test_a_removed_optional_field_is_a_gap_for_old_readers(old: JsonObject, new: JsonObject) -> None:
    judgement = judge(old, new)
    assert not judgement.new_reads_old
    assert "no longer written" in str(judgement.old_reads_new[0])


def test_a_renamed_optional_field_is_not_taken_for_an_addition() -> None:
    old: JsonObject = {"type": "object", "properties": {"city": {"type": "string"}}}
    new: JsonObject = {"type": "object", "properties": {"town": {"type": "string"}}}
    assert not judge(old, new).compatible


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_compatible_with_itself(topic) -> None:
    judgement = judge(schema_of(topic), schema_of(topic))
    assert judgement.same
    assert judgement.order is Order.ANY


def test_a_gap_says_where_and_what() -> None:
    judgement = judge(message(tuple[Sale, ...]), message(tuple[Annotated[View, Field()], ...]))
    assert {str(gap) for gap in judgement.new_reads_old} == {
        "/field/[]/page: is never written, is required",
        "/field/[]/kind: may be 'sale', must be one of 'view'",
    }


def test_a_new_variant_is_named() -> None:
    (gap,) = judge(message(TwoActs), message(ThreeActs)).old_reads_new
    assert str(gap) == "/field: no variant for kind 'refund'"


def test_a_changed_variant_tells_the_field_not_the_union() -> None:
    class Precise(Contract):
        kind: Literal["sale"] = "sale"
        total: int

    (gap,) = judge(message(TwoActs), message(Annotated[View | Precise, Field(discriminator="kind")])).new_reads_old
    assert str(gap) == "/field/total: may be number, must be integer"


def object_with(**words: JsonValue) -> JsonObject:
    return {"type": "object", **words}


NUMBER: JsonObject = {"type": "number"}
WORD: JsonObject = {"type": "string"}


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ({"const": True}, {"enum": [1]}),
        ({"enum": [0, 1]}, {"enum": [False, True]}),
        (
            object_with(additionalProperties=NUMBER),
            object_with(properties={"a": WORD}, additionalProperties=NUMBER),
        ),
        (object_with(properties={"a": NUMBER}), object_with(additionalProperties=WORD)),
        (object_with(properties={"a": NUMBER}), object_with(additionalProperties=False)),
        (object_with(additionalProperties=NUMBER), object_with(propertyNames={"pattern": "^a"})),
        (object_with(properties={"b": NUMBER}), object_with(propertyNames={"pattern": "^a"})),
        (object_with(properties={"a": NUMBER}), object_with(minProperties=1)),
        (WORD, {"oneOf": [WORD, {"type": ["string", "null"]}]}),
        ({"type": "integer"}, {"oneOf": [{"type": "integer"}, NUMBER]}),
        (object_with(additionalProperties=True), {"oneOf": [tagged("a"), tagged("b")]}),
        (object_with(additionalProperties=True), {"oneOf": [tagged("a"), object_with()]}),
        ({"type": "array", "items": WORD}, {"type": "array", "items": WORD, "uniqueItems": True}),
        ({"type": "array"}, {"type": "array", "items": WORD}),
        ({"const": {"a": 1}}, object_with()),
        ({}, {"type": ["string", "null"]}),
    ],
)
def test_what_only_other_writers_than_pydantic_do_is_seen_too(writer: JsonObject, reader: JsonObject) -> None:
    assert judge(writer, reader).new_reads_old


def nested(*kinds: str) -> JsonObject:
    """A tree of nodes that hold nodes, as conditions do."""
    variant: JsonObject = {"oneOf": [{"$ref": f"#/$defs/{kind}", "required": ["kind"]} for kind in kinds]}
    return {
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {"type": "object", "properties": {"root": variant}, "required": ["root"]},
            **{
                kind: {
                    "type": "object",
                    "properties": {"kind": {"const": kind}, "of": {"type": "array", "items": variant}},
                }
                for kind in kinds
            },
        },
    }


def test_recursive_schemas_are_compared_to_the_end() -> None:
    assert judge(nested("and", "or"), nested("or", "and")).same
    assert judge(nested("and", "or"), nested("and", "or", "not")).order is Order.READERS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"not": {"type": "string"}}, {"not": {"type": "integer"}}),
        ({"type": "string"}, {"type": "string", "contentEncoding": "base64"}),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, {"type": "array"}),
        ({"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"type": "string"}}},
         {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"type": "integer"}}}),
        ({"$ref": "#/$defs/A", "type": "string", "$defs": {"A": {"type": "integer"}}}, {"type": "boolean"}),
    ],
)  # fmt: skip
def test_what_the_checker_does_not_understand_is_a_gap_unless_it_is_the_same(
    old: JsonObject, new: JsonObject
) -> None:
    judgement = judge(old, new)
    assert "cannot be judged" in str(judgement.new_reads_old[0])
    assert "cannot be judged" in str(judgement.old_reads_new[0])


def test_the_same_unknown_keyword_on_both_sides_is_no_gap() -> None:
    rule: JsonObject = {"type": "string", "contentEncoding": "base64"}
    assert judge(rule, {**rule, "description": "packed"}).same
