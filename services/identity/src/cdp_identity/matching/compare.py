"""What two records say about each other, field by field. Missing values say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import log

from cdp_identity.matching import weights
from cdp_identity.matching.dates import same_but_swapped
from cdp_identity.matching.frequencies import Frequencies
from cdp_identity.matching.names import Name, are_nicknames, is_listed
from cdp_identity.matching.places import Place, name_of_street
from cdp_identity.matching.record import MatchRecord
from cdp_identity.matching.weights import Level
from cdp_identity.matching.words import closeness, edits

TYPO = 0.92
CLOSE = 0.85
ALIKE = 0.75
MOST_OF_A_FAMILY = 6
AT_HOME = frozenset({"same house"}).union(
    f"same house, {how} {area}" for how in ("same", "similar") for area in ("postcode", "locality")
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One field's part of the score, in log-odds: against two strangers, and against two of one family."""

    field: str
    level: str
    stranger: float
    family: float
    agrees: bool


def evidence(one: MatchRecord, other: MatchRecord, met: Frequencies) -> Iterator[Evidence]:
    """Compare what both have."""
    yield from _names(one.name, other.name, met)
    yield from _birth(one.birth, other.birth, met)
    yield from _national_id(one.national_id, other.national_id)
    yield from _email(one, other, met)
    yield from _phone(one, other, met)
    yield from _address(one.place, other.place, met)
    if one.sex and other.sex:
        yield _of("sex", weights.SEX["same" if one.sex == other.sex else "other"])
    told = dict(other.other)
    for kind, value in one.other:
        if kind in told:
            yield _other(kind, value, told[kind], met)


def _of(field: str, level: Level, share: float | None = None) -> Evidence:
    against = log(level.m / share) if share else level.stranger
    return Evidence(field, level.name, against, level.family, level.agrees)


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
    return _how_close(alike)


def _how_close(alike: float) -> str:
    return "typo" if alike >= TYPO else "close" if alike >= CLOSE else "other"


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
    return "close" if alike >= CLOSE else "other"


def are_swapped(one: Name, other: Name) -> bool:
    """Whether the given name of each is the family name of the other."""
    crossed = _crossed(one, other)
    return max(crossed) >= TYPO and min(crossed) >= ALIKE


def is_moved(one: Name, other: Name) -> bool:
    """Whether one of the names stands in the other's place, and the other name is another one."""
    return max(_crossed(one, other)) >= TYPO


def _crossed(one: Name, other: Name) -> tuple[float, float]:
    pairs = ((one.first, other.last), (one.last, other.first))
    first, last = (closeness(a, b) if len(a) > 1 and len(b) > 1 else 0.0 for a, b in pairs)
    return first, last


def _names(one: Name, other: Name, met: Frequencies) -> Iterator[Evidence]:
    given, family = given_level(one, other), family_level(one, other)
    if (given in {"other", ""} and family in {"other", ""}) or (given == "other" and are_swapped(one, other)):
        if are_swapped(one, other):
            yield _of("name", weights.SWAPPED)
            return
        if is_moved(one, other):
            yield _of("name", weights.MOVED)
            return
    if given == "typo" and all(_is_name(name.first, met) for name in (one, other)):
        given = "two names"
    if given:
        yield _of("given", weights.GIVEN[given], met.share("given", one.first) if given == "exact" else None)
    if family:
        yield _of("family", weights.FAMILY[family], met.share("family", one.last) if family == "exact" else None)
    if level := middle_level(one, other):
        yield _of("middle", weights.MIDDLE[level])
    if one.suffix and other.suffix:
        yield _of("suffix", weights.SUFFIX["same" if one.suffix == other.suffix else "other"])


def _is_name(given: str, met: Frequencies) -> bool:
    return met.counts["given", given] >= weights.OWN_RIGHT or is_listed(given)


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


def birth_level(one: str, other: str) -> str:
    """How two dates of birth agree; "" if one is missing."""
    if not one or not other:
        return ""
    if one[4:] == "0000" or other[4:] == "0000":
        return "year" if one[:4] == other[:4] else "two edits" if edits(one[:4], other[:4]) == 1 else "other"
    apart = edits(one, other)
    if apart == 0:
        return "exact"
    if apart == 1 or same_but_swapped(one, other):
        return "one edit"
    return "two edits" if apart == 2 else "other"


def _birth(one: str, other: str, met: Frequencies) -> Iterator[Evidence]:
    if level := birth_level(one, other):
        yield _of("birth", weights.BIRTH[level], met.share("birth", one) if level == "exact" else None)


def _national_id(one: str, other: str) -> Iterator[Evidence]:
    if one and other:
        apart = edits(one, other)
        yield _of("national_id", weights.NATIONAL_ID[("exact", "one edit")[apart] if apart < 2 else "other"])


def _email(one: MatchRecord, other: MatchRecord, met: Frequencies) -> Iterator[Evidence]:
    if not one.emails or not other.emails:
        return
    if shared := {email.canonical for email in one.emails} & {email.canonical for email in other.emails}:
        yield _of("email", weights.EMAIL["exact"], min(met.share("email", email) for email in shared))
        return
    pairs = list(product(one.emails, other.emails))
    if any(edits(a.canonical, b.canonical) == 1 for a, b in pairs):
        yield _of("email", weights.EMAIL["typo"])
    elif any(a.local == b.local and len(a.local) > 4 for a, b in pairs):
        yield _of("email", weights.EMAIL["local part"])
    else:
        yield _of("email", weights.EMAIL["other"])


def _phone(one: MatchRecord, other: MatchRecord, met: Frequencies) -> Iterator[Evidence]:
    if not one.phones or not other.phones:
        return
    pairs = list(product(one.phones, other.phones))
    if same := [a for a, b in pairs if a.number == b.number or a.number[-8:] == b.number[-8:]]:
        yield _of("phone", weights.PHONE["exact"], min(met.share("phone", phone.number) for phone in same))
    elif any(edits(a.number, b.number) == 1 for a, b in pairs):
        yield _of("phone", weights.PHONE["one edit"])
    else:
        yield _of("phone", weights.PHONE["other"])


def _address(one: Place, other: Place, met: Frequencies) -> Iterator[Evidence]:
    area = _area(one, other, met)
    street = _street(one, other, met)
    if street is None and area is None:
        return
    parts = [part for part in (street, area) if part is not None]
    against = sum(part[0] for part in parts)
    crowd = met.counts["home", one.home] - MOST_OF_A_FAMILY
    if crowd > 0:  # an institution: many strangers share it
        against = min(against, log(met.population / crowd))
    against = max(weights.ADDRESS_FLOOR, min(weights.ADDRESS_CEILING, against))
    level = ", ".join(part[1] for part in parts)
    # What a family shares cannot tell its members apart.
    yield Evidence("address", level, against, min(0.0, against), agrees=against > 3)


def _street(one: Place, other: Place, met: Frequencies) -> tuple[float, str] | None:
    if not one.lines or not other.lines:
        return None
    best, mine = max((_alike(a, b), a) for a in one.lines for b in other.lines)
    if best < CLOSE:
        return weights.STREET["other"].stranger, "other street"
    level = weights.STREET["exact" if best == 1 else "typo"]
    weight = log(level.m / met.share("street", name_of_street(mine))) if best == 1 else level.stranger
    if sum(max(_alike(a, b) for b in other.lines) >= CLOSE for a in one.lines) > 1:
        weight += weights.LINE.stranger
    if not one.number or not other.number:
        return weight, "same street"
    if one.number == other.number and (one.unit == other.unit or not one.unit or not other.unit):
        return weight + weights.NUMBER["exact"].stranger, "same house"
    return weight + weights.NUMBER["other"].stranger, "same street, other number"


def _alike(one: str, other: str) -> float:
    a, b = name_of_street(one), name_of_street(other)
    return 1.0 if a == b else min(0.99, closeness(a, b))


def _area(one: Place, other: Place, met: Frequencies) -> tuple[float, str] | None:
    found: list[tuple[float, str]] = []
    for kind, mine, theirs in (
        ("postcode", one.postcode, other.postcode),
        ("locality", one.locality.replace(" ", ""), other.locality.replace(" ", "")),
    ):
        if mine and theirs:
            if mine == theirs:
                value = one.postcode if kind == "postcode" else one.locality
                found.append((log(weights.LOCALITY["exact"].m / met.share(kind, value)), f"same {kind}"))
            elif edits(mine, theirs) == 1 or (kind == "locality" and closeness(mine, theirs) >= TYPO):
                found.append((weights.LOCALITY["typo"].stranger, f"similar {kind}"))
            else:
                found.append((weights.LOCALITY["other"].stranger, f"other {kind}"))
    return max(found) if found else None  # one stands for the other: counting both would count one fact twice


def _other(kind: str, one: str, other: str, met: Frequencies) -> Evidence:
    if one == other:
        return _of(kind, weights.OTHER["exact"], max(0.01, met.share(kind, one)))
    return _of(kind, weights.OTHER["close" if closeness(one, other) >= TYPO else "other"])
