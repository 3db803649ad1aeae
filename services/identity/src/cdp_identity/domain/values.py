"""How values are written before they are hashed: one spelling each, or none if they name nobody."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import sha256
from typing import Final

import phonenumbers
from pydantic import JsonValue

from cdp_identity.domain.placeholders import HASHES, is_placeholder, is_placeholder_address

SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
LONGEST_PHONE: Final = 40


def named_value(value: JsonValue) -> str | None:
    """An id as it is hashed (NFKC, no space around it), or None if it names nobody."""
    if not isinstance(value, str) or is_placeholder(value):
        return None
    return unicodedata.normalize("NFKC", value).strip()


def device_value(value: JsonValue) -> str | None:
    """A device's id as it is hashed: platforms write the same UUID in either case."""
    named = named_value(value)
    return named.lower() if named else None


def email_value(value: JsonValue) -> str | None:
    """An e-mail address as it is hashed: SHA-256 (hex) of the address in NFKC, lower case, trimmed.

    A sender who hashed it that way already is taken at his word. None if it is no address of a person.
    """
    if not isinstance(value, str):
        return None
    address = unicodedata.normalize("NFKC", value).strip().lower()
    if SHA256_HEX.fullmatch(address):
        return None if address in HASHES else address
    if not ADDRESS.fullmatch(address) or is_placeholder_address(address):
        return None
    return sha256(address.encode("utf-8", "surrogatepass")).hexdigest()


def phone_value(value: JsonValue, region: str | None) -> str | None:
    """A phone number in E.164, or None if it is no valid number.

    `region` (ISO 3166) says how to read one that does not begin with a plus; without it such a number is none:
    a guess would make one person of two.
    """
    if not isinstance(value, str) or len(value) > LONGEST_PHONE:
        return None
    return _e164(unicodedata.normalize("NFKC", value).strip(), region)


@lru_cache(maxsize=4096)
def _e164(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None if is_placeholder(e164[-6:]) else e164
