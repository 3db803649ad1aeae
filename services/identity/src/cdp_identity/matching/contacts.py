"""E-mail addresses and phone numbers in the one form in which they can be compared."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import phonenumbers

from cdp_identity.domain.placeholders import is_placeholder, is_placeholder_address

# Providers that deliver local+anything@ to local@. Elsewhere a plus may be part of somebody's name.
_PLUS: Final = frozenset({
    "gmail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "icloud.com", "me.com", "mac.com",
    "fastmail.com", "fastmail.fm", "proton.me", "protonmail.com", "pm.me", "zoho.com", "yandex.ru", "yandex.com",
})  # fmt: skip
_DOTS: Final = frozenset({"gmail.com"})
_ALIASES: Final = {"googlemail.com": "gmail.com", "protonmail.com": "proton.me", "pm.me": "proton.me"}
_ROLES: Final = frozenset(
    {"info", "sales", "support", "admin", "office", "contact", "mail", "hello", "webmaster", "billing"}
)
_DIGITS: Final = re.compile(r"\D+")
_UNVERIFIED: Final = 7  # digits below which a number says nothing


@dataclass(frozen=True, slots=True)
class Email:
    """An address in lower case and, as the weaker identifier, where its provider delivers it."""

    address: str
    canonical: str

    @property
    def local(self) -> str:
        """What stands before the @ of the canonical form."""
        return self.canonical.rpartition("@")[0]


@dataclass(frozen=True, slots=True)
class Phone:
    """A number: E.164 if it is a valid number, else its digits, unverified."""

    number: str
    verified: bool


@lru_cache(maxsize=1 << 14)
def email_of(text: str) -> Email | None:
    """The address in a text; None for what is none, or a role's, or a sample."""
    address = unicodedata.normalize("NFKC", text).strip().strip("\"'<>").casefold()
    local, at, domain = address.rpartition("@")
    if not (at and local and "." in domain) or " " in address or is_placeholder_address(address):
        return None
    try:
        domain = domain.rstrip(".").encode("idna").decode()
    except UnicodeError:
        return None
    if local in _ROLES:
        return None
    provider = _ALIASES.get(domain, domain)
    bare = local.split("+")[0] if provider in _PLUS else local
    bare = bare.replace(".", "") if provider in _DOTS else bare
    return Email(f"{local}@{domain}", f"{bare or local}@{provider}")


@lru_cache(maxsize=1 << 14)
def phone_of(text: str, region: str | None) -> Phone | None:
    """The number in a text. `region` (ISO 3166, such as GB) is where the source's local numbers belong.

    A number is verified only if it is valid for its country: "00442079460958" read as a US number is not.
    """
    digits = _DIGITS.sub("", text)
    if len(digits) < _UNVERIFIED or is_placeholder(digits) or len(set(digits)) < 3:
        return None
    for attempt in (text, f"+{digits[2:]}") if digits.startswith("00") else (text,):
        try:
            parsed = phonenumbers.parse(attempt, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            return Phone(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), verified=True)
    return Phone(digits.lstrip("0"), verified=False)
