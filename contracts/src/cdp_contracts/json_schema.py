"""Reads JSON Schemas as values, as far as pydantic writes them. What is not known is named, never guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from cdp_contracts.envelope import JsonObject

TYPES: Final = frozenset({"null", "boolean", "number", "string", "array", "object"})
ANNOTATIONS: Final = frozenset({
    "$schema", "$id", "$defs", "$comment", "title", "description", "default", "examples", "deprecated",
})  # fmt: skip
KNOWN: Final = ANNOTATIONS | frozenset({
    "type", "enum", "const", "anyOf", "oneOf",
    "properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties",
    "items", "minItems", "maxItems", "uniqueItems",
    "pattern", "format", "minLength", "maxLength",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
})  # fmt: skip
NOTHING: Final[JsonObject] = {"enum": []}


@dataclass(frozen=True)
class Schema:
    """A place in a schema document: its references followed, its annotations left out."""

    root: JsonObject
    node: JsonObject

    @classmethod
    def of(cls, document: JsonObject) -> Schema:
        """The schema that a document describes. KeyError if a reference leads nowhere."""
        return cls(document, {}).at(document)

    @cached_property
    def text(self) -> str:
        """The same text for the same place of the same document."""
        return json.dumps(self.node, sort_keys=True)

    @cached_property
    def types(self) -> frozenset[str]:
        """The JSON types it takes; all of them unless it says."""
        said = self.node.get("type")
        if isinstance(said, str):
            return frozenset({said})
        return frozenset(str(name) for name in said) if isinstance(said, list) else TYPES

    @cached_property
    def values(self) -> tuple[JsonValue, ...] | None:
        """The only values it takes, or None if they cannot be counted."""
        if "const" in self.node:
            return (self.node["const"],)
        listed = self.node.get("enum")
        if isinstance(listed, list):
            return tuple(listed)
        if self.types <= {"null", "boolean"} and "type" in self.node:
            return tuple(v for name, v in (("null", None), ("boolean", True), ("boolean", False))
                         if name in self.types)  # fmt: skip
        return None

    @cached_property
    def unions(self) -> Mapping[str, tuple[Schema, ...]]:
        """Its alternatives, under `anyOf` and `oneOf`."""
        return {word: self._list(word) for word in ("anyOf", "oneOf") if word in self.node}

    @cached_property
    def properties(self) -> Mapping[str, Schema]:
        """Its declared fields."""
        declared = self.node.get("properties")
        return {name: self.at(raw) for name, raw in declared.items()} if isinstance(declared, dict) else {}

    @cached_property
    def required(self) -> frozenset[str]:
        """The fields that must be there."""
        names = self.node.get("required")
        return frozenset(str(name) for name in names) if isinstance(names, list) else frozenset()

    @cached_property
    def open(self) -> bool:
        """Whether a writer by this schema may write fields that are not declared."""
        return self.node.get("additionalProperties", False) is not False or bool(self.unknown)

    @cached_property
    def others(self) -> Schema:
        """What a field that is not declared may hold, to a reader."""
        return self.part("additionalProperties")

    @cached_property
    def unknown(self) -> JsonObject:
        """The keywords that this module does not understand."""
        return {word: value for word, value in self.node.items() if word not in KNOWN}

    @property
    def takes_anything(self) -> bool:
        """Whether no value is refused."""
        return not self.node

    def part(self, word: str) -> Schema:
        """The schema under a keyword; one that takes anything where there is none."""
        return self.at(self.node.get(word, True))

    def number(self, word: str) -> float | None:
        """The number under a keyword."""
        value = self.node.get(word)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def without_unions(self) -> Schema:
        """What it demands beside its alternatives."""
        return Schema(self.root, {word: v for word, v in self.node.items() if word not in self.unions})

    def pieces(self) -> Iterator[Schema]:
        """The same schema cut into parts of one value or one type each."""
        if self.values is not None:
            yield from (Schema(self.root, {"const": value}) for value in self.values)
        else:
            yield from (Schema(self.root, {**self.node, "type": name}) for name in sorted(self.types))

    def _list(self, word: str) -> tuple[Schema, ...]:
        listed = self.node[word]
        return tuple(self.at(raw) for raw in listed) if isinstance(listed, list) else ()

    def at(self, raw: JsonValue) -> Schema:
        """A schema of the same document."""
        if not isinstance(raw, dict):
            return Schema(self.root, NOTHING if raw is False else {})
        node = {word: value for word, value in raw.items() if word not in ANNOTATIONS}
        reference = node.pop("$ref", None)
        if not isinstance(reference, str):
            return Schema(self.root, node)
        return Schema(self.root, joined(self.at(self._target(reference)).node, node))

    def _target(self, reference: str) -> JsonValue:
        found: JsonValue = self.root
        for step in reference.removeprefix("#/").split("/") if reference != "#" else ():
            found = found[step] if isinstance(found, dict) else None
        return found


def joined(target: JsonObject, beside: JsonObject) -> JsonObject:
    """A reference's target and the keywords beside the reference, as one schema."""
    node = {**target, **beside}
    both = target.get("required"), beside.get("required")
    if isinstance(both[0], list) and isinstance(both[1], list):
        node["required"] = sorted({str(name) for name in both[0] + both[1]}, key=str)
    clash = any(target[word] != beside[word] for word in target.keys() & beside.keys() - {"required"})
    return {"allOf": [target, beside]} if clash else node
