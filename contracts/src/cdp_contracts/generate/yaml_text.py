"""YAML in one style. The only module that needs PyYAML."""

from __future__ import annotations

import yaml
from pydantic import TypeAdapter

from cdp_contracts.envelope import JsonObject

NOTICE = "# Generated from the topic registry by `python -m cdp_contracts.generate`: do not edit.\n"
OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


def to_yaml(document: JsonObject) -> str:
    """A generated document: keys in their order, block style, long lines left whole."""
    return NOTICE + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def from_yaml(text: str) -> JsonObject:
    """The document in a YAML text; ValidationError if it is no mapping of JSON values."""
    return OBJECT.validate_python(yaml.safe_load(text))
