"""Text as it is compared: one case, one alphabet, one spacing. Nothing here knows what a word means."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from anyascii import anyascii
from rapidfuzz.distance import OSA, JaroWinkler

from cdp_identity.domain.placeholders import is_placeholder

_DROPPED: Final = re.compile("['\u2019`\u00b4.]")
_OTHER: Final = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=1 << 16)
def folded(text: str) -> str:
    """NFKC, transliterated to ASCII, casefolded; only letters and digits, single spaces. "" for a placeholder."""
    if is_placeholder(text):
        return ""
    ascii_text = anyascii(unicodedata.normalize("NFKC", text)).casefold()
    return _OTHER.sub(" ", _DROPPED.sub("", ascii_text)).strip()


def compact(text: str) -> str:
    """Folded, without any space: the form of a code, such as a postcode or a passport number."""
    return folded(text).replace(" ", "")


def closeness(one: str, other: str) -> float:
    """Jaro-Winkler similarity, 0 to 1."""
    return JaroWinkler.similarity(one, other)


def edits(one: str, other: str) -> int:
    """Insertions, deletions, substitutions and transpositions of neighbours from one to the other."""
    return OSA.distance(one, other)
