"""JSON Schemas of the messages, one file a topic."""

from __future__ import annotations

import json
from typing import Final

from pydantic import JsonValue
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from cdp_contracts.deliveries_v1 import SegmentFlipped
from cdp_contracts.envelope import Contract, JsonObject
from cdp_contracts.topics import Topic

FOLDER: Final = "contracts/schemas"
BODIES: Final[dict[str, type[Contract]]] = {"contracts/webhooks/segment-flipped.v1.json": SegmentFlipped}
"""What is posted to others. The message that asks for it holds it to the gate."""


class PlainJsonSchema(GenerateJsonSchema):
    """Pydantic's schema in plain JSON Schema: tags are required where they tell variants apart."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """No titles that only repeat a field's name."""
        return False

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Variants that name their tag, instead of OpenAPI's `discriminator`."""
        union = super().tagged_union_schema(schema)
        tag: JsonValue = union.pop("discriminator")["propertyName"]
        union["oneOf"] = [{**variant, "required": [tag]} for variant in union["oneOf"]]
        return union


def schema_of(topic: Topic[Contract]) -> JsonObject:
    """The JSON Schema (2020-12) of a topic's messages: what readers take, unknown fields aside."""
    return schema_of_model(topic.model)


def schema_of_model(model: type[Contract]) -> JsonObject:
    """The same of any model."""
    schema: JsonObject = model.model_json_schema(schema_generator=PlainJsonSchema)
    return {"$schema": PlainJsonSchema.schema_dialect, **schema}


def schema_path(topic_name: str) -> str:
    """Where the schema of a topic stands in the repository."""
    return f"{FOLDER}/{topic_name}.json"


def schema_text(schema: JsonObject) -> str:
    """A schema as it is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
