"""What two records say about each other, field by field. Missing values say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import log

from cdp_identity.matching import weights
from cdp_identity.matching.compare_names import CLOSE, TYPO, compare_names
from cdp_identity.matching.dates import parts_in_common, same_but_swapped
from cdp_identity.matching.evidence import Evidence, said
from cdp_identity.matching.frequencies import Frequencies
from cdp_identity.matching.places import Place, name_of_street
from cdp_identity.matching.record import MatchRecord
from cdp_identity.matching.words import closeness, edits

MOST_OF_A_FAMILY = 6
AT_HOME = frozenset({"same house"}).union(
    f"same house, {how} {area}" for how in ("same", "similar") for area in ("postcode", "locality")
)


def evidence(one: MatchRecord, other: MatchRecord, met: Frequencies) -> Iterator[Evidence]:
    """Compare what both have."""
    yield from compare_names(one.name, other.name, met)
    yield from _birth(one.birth, other.birth, met)
    yield from _national_id(one.national_id, other.national_id)
    yield from _email(one, other, met)
    yield from _phone(one, other, met)
    yield from _address(one.place, other.place, met)
    if one.sex and other.sex:
        yield said("sex", weights.SEX["same" if one.sex == other.sex else "other"])
    told = dict(other.other)
    for kind, value in one.other:
        if kind in told:
            yield _other(kind, value, told[kind], met)
    if same := set(one.fingerprints).intersection(other.fingerprints):
        level = weights.FINGERPRINT
        share = min(met.share("fingerprint", fingerprint) for fingerprint in same)
        yield said("fingerprint", level, min(level.m, max(level.u, share)))


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
    if parts_in_common(one, other) == 2:
        return "one part"
    return "two edits" if apart == 2 else "other"


def _birth(one: str, other: str, met: Frequencies) -> Iterator[Evidence]:
    if level := birth_level(one, other):
        yield said("birth", weights.BIRTH[level], met.share("birth", one) if level == "exact" else None)


def _national_id(one: str, other: str) -> Iterator[Evidence]:
    if one and other:
        apart = edits(one, other)
        yield said("national_id", weights.NATIONAL_ID[("exact", "one edit")[apart] if apart < 2 else "other"])


def _email(one: MatchRecord, other: MatchRecord, met: Frequencies) -> Iterator[Evidence]:
    if not one.emails or not other.emails:
        return
    if shared := {email.canonical for email in one.emails} & {email.canonical for email in other.emails}:
        yield said("email", weights.EMAIL["exact"], min(met.share("email", email) for email in shared))
        return
    pairs = list(product(one.emails, other.emails))
    if any(edits(a.canonical, b.canonical) == 1 for a, b in pairs):
        yield said("email", weights.EMAIL["typo"])
    elif any(a.local == b.local and len(a.local) > 4 for a, b in pairs):
        yield said("email", weights.EMAIL["local part"])
    else:
        yield said("email", weights.EMAIL["other"])


def _phone(one: MatchRecord, other: MatchRecord, met: Frequencies) -> Iterator[Evidence]:
    if not one.phones or not other.phones:
        return
    pairs = list(product(one.phones, other.phones))
    if same := [a for a, b in pairs if a.number == b.number or a.number[-8:] == b.number[-8:]]:
        yield said("phone", weights.PHONE["exact"], min(met.share("phone", phone.number) for phone in same))
    elif any(edits(a.number, b.number) == 1 for a, b in pairs):
        yield said("phone", weights.PHONE["one edit"])
    else:
        yield said("phone", weights.PHONE["other"])


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
        return said(kind, weights.OTHER["exact"], max(0.01, met.share(kind, one)))
    return said(kind, weights.OTHER["close" if closeness(one, other) >= TYPO else "other"])
