"""Values that many people share because they stand for nobody: they never become identifiers.

The lists join those of Segment's Unify and PostHog's person processing, in any case and any quotes.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import Final

WORDS: Final = frozenset({
    "", "-1", "anonymous", "anonymous_id", "anonymousid", "blank", "default", "device_id", "distinct_id",
    "distinctid", "email", "empty", "false", "guest", "id", "invalid", "n/a", "na", "nan", "nil", "none",
    "not-specified", "not_authenticated", "not_specified", "null", "test", "true", "undefined", "unknown",
    "user", "user_id", "user_null", "userid", "void", "(not set)", "(null)", "(none)",
})  # fmt: skip
TEMPLATES: Final = re.compile(r"\[object .*\]|<.*>|\{\{.*\}\}|\$\{.*\}|%[\w.-]+%", re.DOTALL)
ZEROS: Final = re.compile(r"[0-]*")
SAME_FROM: Final = 6  # such as 1111111111 or xxxxxx; shorter ones are somebody's number

LOCAL_PARTS: Final = WORDS | {
    "example", "do-not-reply", "donotreply", "foo", "name", "no-reply", "no_reply", "noreply",
    "test1", "test123", "tester", "testing", "you", "your", "youremail", "your.name",
}  # fmt: skip
SAMPLE_ADDRESSES: Final = tuple(
    f"{local}@{domain}"
    for local in ("test", "noreply", "no-reply", "email", "user", "name")
    for domain in ("test.com", "example.com", "gmail.com")
)
HASHES: Final = frozenset(sha256(word.encode()).hexdigest() for word in (*WORDS, *SAMPLE_ADDRESSES))


def is_placeholder(value: str) -> bool:
    """Whether the value names nobody: null-ish, all zeros, one character repeated, a template left unfilled."""
    text = bare(value)
    return (
        text in WORDS
        or ZEROS.fullmatch(text) is not None
        or (len(text) >= SAME_FROM and len(set(text)) == 1)
        or TEMPLATES.fullmatch(text) is not None
    )


def bare(value: str) -> str:
    """A value as blocked ones are compared: NFKC, without quotes and space around it, in one case."""
    return unicodedata.normalize("NFKC", value).strip().strip("\"'`").strip().casefold()


def is_placeholder_address(address: str) -> bool:
    """Whether a normalized e-mail address is a role's or a sample's, such as noreply@ or test@."""
    local, _, domain = address.rpartition("@")
    return local.split("+")[0] in LOCAL_PARTS or is_placeholder(local) or is_placeholder(domain)
