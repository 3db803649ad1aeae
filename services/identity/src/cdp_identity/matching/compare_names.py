"""What two names of persons say about each other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import log
from typing import Final

from cdp_identity.matching import weights
from cdp_identity.matching.evidence import Evidence, said
from cdp_identity.matching.frequencies import Frequencies
from cdp_identity.matching.names import Name, are_nicknames
from cdp_identity.matching.weights import Level
from cdp_identity.matching.words import closeness, edits

TYPO: Final = 0.92
CLOSE: Final = 0.85
ALIKE: Final = 0.75
APART: Final = frozenset({"", "other", "few edits"})


@lru_cache(maxsize=1 << 10)
def given_level(one: Name, other: Name) -> str:
    """How the first names agree; "" if one is missing."""
    mine, theirs = one.first, other.first
    if not mine or not theirs:
        return ""
    if mine == theirs:
        return "exact" if len(mine) > 1 else "initial"
    if len(mine) == 1 or len(theirs) == 1:
        return "initial" if mine[0] == theirs[0] else "other"
    if are_nicknames(mine, theirs):
        return "nickname"
    alike = max(closeness(a, b) for a, b in product({mine, "".join(one.given)}, {theirs, "".join(other.given)}))
    if alike >= CLOSE:
        return "typo" if alike >= TYPO else "close"
    return "few edits" if _few_edits(mine, theirs) else "other"


def _few_edits(one: str, other: str) -> bool:
    shorter = min(len(one), len(other))
    return shorter >= 3 and edits(one, other) <= (2 if shorter >= 6 else 1)


@lru_cache(maxsize=1 << 10)
def family_level(one: Name, other: Name) -> str:
    """How the family names agree; "" if one is missing."""
    mine, theirs = one.last, other.last
    if not mine or not theirs:
        return ""
    if mine == theirs:
        return "exact"
    alike = closeness(mine, theirs)
    if alike >= TYPO:
        return "typo"
    if not {*one.family}.isdisjoint(other.family):
        return "part"
    if alike >= CLOSE:
        return "close"
    return "few edits" if _few_edits(mine, theirs) else "other"


def are_swapped(one: Name, other: Name) -> bool:
    """Whether the given name of each is the family name of the other."""
    crossed = _crossed(one, other)
    return max(crossed) >= TYPO and min(crossed) >= ALIKE


def is_moved(one: Name, other: Name) -> bool:
    """Whether one of the names stands in the other's place, and the other name is another one."""
    return max(_crossed(one, other)) >= TYPO


@lru_cache(maxsize=1 << 10)
def _crossed(one: Name, other: Name) -> tuple[float, float]:
    pairs = ((one.first, other.last), (one.last, other.first))
    first, last = (closeness(a, b) if len(a) > 1 and len(b) > 1 else 0.0 for a, b in pairs)
    return first, last


def compare_names(one: Name, other: Name, met: Frequencies) -> Iterator[Evidence]:
    """What two names say, as a whole or by their parts."""
    given, family = given_level(one, other), family_level(one, other)
    if given in APART and (family in APART or are_swapped(one, other)):
        if are_swapped(one, other):
            whole = (one.first, one.last) == (other.last, other.first)
            yield said("name", weights.SWAPPED, _as_swapped(one, met) if whole else None)
            return
        if is_moved(one, other):
            yield said("name", weights.MOVED, _as_moved(one, other, met))
            return
    if given:
        yield _name("given", weights.GIVEN[given], (one.first, other.first), met)
    if family:
        yield _name("family", weights.FAMILY[family], (one.last, other.last), met)
    if level := middle_level(one, other):
        share = met.share("middle", one.middle[0]) if level == "exact" else None
        yield said("middle", weights.MIDDLE[level], share)
    if one.suffix and other.suffix:
        yield said("suffix", weights.SUFFIX["same" if one.suffix == other.suffix else "other"])


def _name(field: str, level: Level, names: tuple[str, str], met: Frequencies) -> Evidence:
    if level.name == "exact":
        return said(field, level, met.share(field, names[0]))
    if level.name not in weights.ONE_OF:
        return said(field, level)
    one, other = (met.spelled(field, name) for name in names)
    against = misspelled(level.m * weights.ONE_OF[level.name], one, other)
    agrees = level.agrees and against > 0
    if field == "family":
        return Evidence(field, level.name, against, level.family, agrees)
    return Evidence(field, level.name if against > 0 else "two names", against, min(level.family, against), agrees)


def misspelled(slip: float, one: float, other: float) -> float:
    """Log-odds that one of two alike spellings is a slip of the other, and not a name of its own.

    `slip` is the probability of just this slip, `one` and `other` how often strangers are called so. A slip of a
    common name is met at strangers too.
    """
    rarer, commoner = sorted((one, other))
    return log(slip / max(rarer, slip * commoner) + slip / commoner)


def _as_swapped(one: Name, met: Frequencies) -> float:
    """How probable a name the other way round is at strangers: theirs is like that, or swapped as well."""
    straight = met.share("given", one.first) * met.share("family", one.last)
    turned = met.share("given", one.last) * met.share("family", one.first)
    slip = weights.SWAPPED.m
    return (straight + slip * turned) * (turned + slip * straight) / (straight + turned)


def _as_moved(one: Name, other: Name, met: Frequencies) -> float:
    first, last = _crossed(one, other)
    words = (one.first, other.last) if first >= last else (one.last, other.first)
    return max(weights.MOVED.u, *(met.share(kind, word) for kind in ("given", "family") for word in words))


def middle_level(one: Name, other: Name) -> str:
    """How the middle names agree; "" if one is missing."""
    if not one.middle or not other.middle:
        return ""
    mine, theirs = one.middle[0], other.middle[0]
    if mine[0] != theirs[0]:
        return "other"
    if len(mine) == 1 or len(theirs) == 1 or closeness(mine, theirs) < CLOSE:
        return "initial"
    return "exact"
