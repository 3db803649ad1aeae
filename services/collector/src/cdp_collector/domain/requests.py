"""What arrives over HTTP, read without trust: bytes to a JSON object, and the write keys that came along."""

from __future__ import annotations

import zlib
from base64 import b64decode
from dataclasses import dataclass
from typing import Final

from cdp_contracts.envelope import JsonObject
from pydantic import JsonValue
from pydantic_core import from_json

GZIP: Final = b"\x1f\x8b"
GZIP_WINDOW: Final = 31


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is refused as a whole."""

    status: int
    code: str
    message: str
    wait: int = 0
    """Seconds after which to try again, where that is known."""


NOT_READY: Final = Refusal(503, "not-ready", "the sources are not known yet; try again later")
BUSY: Final = Refusal(503, "busy", "too many requests at once; try again later")
AWAY: Final = Refusal(503, "unavailable", "the events could not be stored; try again later")
INTERNAL: Final = Refusal(500, "internal", "something went wrong here; try again later")
UNKNOWN_KEY: Final = Refusal(401, "write-key", "a write key of an enabled source is needed: as user name of"
                             " Basic authentication, or as writeKey in the body")  # fmt: skip
NOT_JSON: Final = Refusal(400, "json", "the body must be JSON in UTF-8, nested less than 200 deep, without NaN")
NOT_OBJECT: Final = Refusal(400, "object", "the body must be a JSON object")
BAD_GZIP: Final = Refusal(400, "gzip", "the body begins like gzip but is not one complete gzip stream")


def too_often(wait: int) -> Refusal:
    """One source sends more requests than it may."""
    return Refusal(429, "rate", "this source sends too often; wait for Retry-After seconds", wait)


def too_large(limit: int) -> Refusal:
    """The body is over the limit. 400, as the specification has it: the sender must not try again."""
    return Refusal(400, "body-size", f"the body may have {limit} bytes, unpacked")


def parsed_body(raw: bytes, limit: int) -> JsonObject | Refusal:
    """The object in a body. What the request says of its content type is ignored: gzip is told by its bytes.

    Never unpacks more than `limit` bytes.
    """
    plain = _unpacked(raw, limit) if raw.startswith(GZIP) else raw
    if isinstance(plain, Refusal):
        return plain
    if len(plain) > limit:
        return too_large(limit)
    try:
        body: JsonValue = from_json(plain, allow_inf_nan=False)
    except ValueError:
        return NOT_JSON
    return body if isinstance(body, dict) else NOT_OBJECT


def write_keys(authorization: str | None, body: JsonObject) -> list[str]:
    """The keys that a request brings: by Basic authentication (the colon may be missing), and in the body."""
    keys = [_basic_user(authorization), body.get("writeKey")]
    return [key for key in keys if isinstance(key, str) and key]


def _unpacked(raw: bytes, limit: int) -> bytes | Refusal:
    stream = zlib.decompressobj(wbits=GZIP_WINDOW)
    try:
        plain = stream.decompress(raw, limit + 1)
    except zlib.error:
        return BAD_GZIP
    if len(plain) > limit:
        return too_large(limit)
    return plain if stream.eof and not stream.unused_data else BAD_GZIP


def _basic_user(authorization: str | None) -> str | None:
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        return None
