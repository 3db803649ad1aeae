"""Dates of birth as eight digits, YYYYMMDD, with zeros for what is not known."""

from __future__ import annotations

import re
from typing import Final

_ISO: Final = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:[T ].*)?")
_SHORT: Final = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})")
_MONTH_FIRST: Final = frozenset({"US", "PH", "FM", "MH", "PW"})
_PARTS: Final = (slice(4), slice(4, 6), slice(6, 8))
# What systems store when nobody answered.
_DEFAULTS: Final = frozenset({"19000101", "19010101", "19700101", "18000101", "99991231", "11111111"})


def birth_of(text: str = "", year: str = "", month: str = "", day: str = "", region: str | None = None) -> str:
    """The date in a text or in its parts; "" if there is none, or only a system's default.

    Eight digits are taken as they are, even if no calendar has them: a typing error is evidence too.
    `region` says whether 03/04/1990 begins with the month.
    """
    if text.strip().isdigit() and len(text.strip()) < 3:  # a column named birth_day
        text, day = "", day or text
    found = _text(text.strip(), region) if text.strip() else _parts(year, month, day)
    return "" if found in _DEFAULTS or (found[:4] == "0000" and found[4:] == "0000") else found


def same_but_swapped(one: str, other: str) -> bool:
    """Whether one has day and month the other way round."""
    return one[:4] == other[:4] and one[4:6] == other[6:] and one[6:] == other[4:6]


def parts_in_common(one: str, other: str) -> int:
    """How many of year, month and day are the same."""
    return sum(one[part] == other[part] for part in _PARTS)


def _parts(year: str, month: str, day: str) -> str:
    return f"{_digits(year, 4)}{_digits(month, 2)}{_digits(day, 2)}"


def _digits(text: str, width: int) -> str:
    bare = text.strip().split(".")[0]
    return bare.zfill(width)[-width:] if bare.isdigit() else "0" * width


def _text(text: str, region: str | None) -> str:
    if match := _ISO.fullmatch(text):
        return _parts(match[1], match[2], match[3] or "")
    if match := _SHORT.fullmatch(text):
        first, second = match[1], match[2]
        month_first = int(second) > 12 or (region in _MONTH_FIRST and int(first) <= 12)
        return _parts(match[3], *((first, second) if month_first else (second, first)))
    bare = text.split(".", maxsplit=1)[0]
    if bare.isdigit() and len(bare) in {4, 8}:
        return bare.ljust(8, "0")
    return "0" * 8
