"""What the OpenAPI document says beyond what FastAPI can see: bodies are read raw, so they are told here."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from fastapi import FastAPI

Schema: TypeAlias = dict[str, Any]  # a piece of an OpenAPI document

IDENTIFIER: Final[Schema] = {"type": ["string", "integer", "null"], "maxLength": 256}
TIME: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
OBJECT: Final[Schema] = {"type": ["object", "null"], "additionalProperties": True}
EVENT: Final[Schema] = {
    "type": "object",
    "description": "userId or anonymousId is needed; event for track, groupId for group, previousId for alias.",
    "properties": {
        "type": {"enum": ["track", "identify", "page", "screen", "group", "alias", "consent"]},
        "event": {"type": ["string", "null"], "maxLength": 200},
        "name": {"type": ["string", "null"], "maxLength": 200},
        "userId": IDENTIFIER,
        "anonymousId": IDENTIFIER,
        "groupId": IDENTIFIER,
        "previousId": IDENTIFIER,
        "messageId": {"type": ["string", "null"], "maxLength": 100, "description": "made up if it is missing"},
        "timestamp": TIME,
        "originalTimestamp": TIME,
        "sentAt": TIME,
        "properties": OBJECT,
        "traits": OBJECT,
        "context": OBJECT,
        "writeKey": {"type": ["string", "null"], "description": "instead of Basic authentication"},
    },
}
BATCH: Final[Schema] = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {"type": "array", "items": EVENT, "minItems": 1, "maxItems": 2500},
        "context": {**OBJECT, "description": "merged into the context of each event; the event's own wins"},
        "sentAt": {**TIME, "description": "the sender's clock when it sent; corrects the times of the events"},
        "writeKey": EVENT["properties"]["writeKey"],
    },
}
HEADERS: Final[list[Schema]] = [
    {
        "name": "Content-Encoding",
        "in": "header",
        "schema": {"enum": ["gzip"]},
        "description": "optional: told by the bytes",
    },
    {
        "name": "Sec-GPC",
        "in": "header",
        "schema": {"enum": ["1"]},
        "description": "the person opts out of selling and sharing",
    },
    {
        "name": "Origin",
        "in": "header",
        "schema": {"type": "string"},
        "description": "of the page; a source that keeps a cookie in browsers names those that it keeps it for",
    },
    {
        "name": "Cookie",
        "in": "header",
        "schema": {"type": "string"},
        "description": "the edge's own counts, if it is signed and the event says yes; no other is looked at",
    },
    {
        "name": "traceparent",
        "in": "header",
        "schema": {"type": "string"},
        "description": "W3C trace context, carried on",
    },
]
GIVEN: Final[Schema] = {
    "Set-Cookie": {
        "schema": {"type": "string"},
        "description": "a signed id of the browser, if its source keeps one and an event of the request allows it",
    }
}


def body_of(schema: Schema) -> Schema:
    """The extra of a route that takes such a body, as JSON whatever its content type says."""
    content = {kind: {"schema": schema} for kind in ("application/json", "text/plain")}
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": HEADERS,
        "security": [{"writeKey": []}, {}],
    }


def document_security(api: FastAPI) -> None:
    """Describe the write key in the document."""
    describe = api.openapi

    def openapi() -> Schema:
        document: Schema = describe()
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["writeKey"] = {
            "type": "http", "scheme": "basic",
            "description": "the write key as user name, no password; or writeKey in the body",
        }  # fmt: skip
        return document

    api.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend it
