"""One person, two of one family, or two strangers? Fellegi-Sunter log-odds of the first against both others."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log1p
from typing import Final, Literal, TypeAlias

from cdp_identity.matching.compare import AT_HOME, evidence
from cdp_identity.matching.evidence import Evidence
from cdp_identity.matching.frequencies import Frequencies
from cdp_identity.matching.record import MatchRecord
from cdp_identity.matching.vetoes import forbid, vetoes
from cdp_identity.matching.weights import AUTO, CONTRADICTED, REVIEW

Band: TypeAlias = Literal["auto", "review", "none"]

WEAK: Final = frozenset({"fingerprint"})
"""In no score: they can only get a pair asked about, where another field agrees and none contradicts."""
BY_DEVICE: Final = "asked only for the device's fingerprint"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is thought of two records. `score` is in natural log-odds; `vetoes` and `held` say why not more."""

    one: str
    other: str
    score: float
    band: Band
    fields: tuple[Evidence, ...]
    vetoes: tuple[str, ...] = ()
    held: str = ""
    forbidden: bool = False

    @property
    def at_home(self) -> bool:
        """Whether both live in one house."""
        return any(field.field == "address" and field.level in AT_HOME for field in self.fields)


def judge(one: MatchRecord, other: MatchRecord, met: Frequencies) -> Judgement:
    """Compare two records by themselves. Vetoes come first; the same two give the same answer in either order.

    Of two who are forbidden the fields are compared only if both may live in one house: that is counted.
    """
    found = tuple(vetoes(one, other))
    if forbid(one, other, found):
        number = one.place.number
        known = tuple(evidence(one, other, met)) if number and number == other.place.number else ()
        return Judgement(one.id, other.id, 0.0, "none", known, found, forbidden=True)
    fields = tuple(evidence(one, other, met))
    strong = tuple(field for field in fields if field.field not in WEAK)
    score = log_odds(strong, met.anybody, met.one_of_a_house)
    if score < (CONTRADICTED if found else REVIEW):
        worth_asking = not found and any(field.agrees for field in strong)
        if worth_asking and log_odds(fields, met.anybody, met.one_of_a_house) >= REVIEW:
            return Judgement(one.id, other.id, score, "review", fields, held=BY_DEVICE)
        return Judgement(one.id, other.id, score, "none", strong, found)
    unasked = log_odds(strong, met.anybody, min(0.0, met.one_of_a_house))
    held = why_held(unasked, found, strong)
    return Judgement(one.id, other.id, score, "review" if held else "auto", strong, found, held)


def log_odds(fields: tuple[Evidence, ...], anybody: float, at_home: float) -> float:
    """That both are one person: the sums against strangers and against a family, joined."""
    stranger = sum(field.stranger for field in fields) + anybody
    family = personal(fields) + at_home
    low, high = sorted((stranger, family))
    return low - log1p(exp(low - high))


def personal(fields: tuple[Evidence, ...]) -> float:
    """What tells one person from another of the family."""
    return sum(field.family for field in fields)


def any_agrees(fields: tuple[Evidence, ...]) -> bool:
    """Whether anything that is personal agrees."""
    return any(field.agrees and field.family > 0 for field in fields)


def why_held(score: float, found: tuple[str, ...], fields: tuple[Evidence, ...]) -> str:
    """Why a person has to look at it; "" if nobody has to."""
    if found:
        return f"contradicts in {', '.join(found)}"
    if score < AUTO:
        return "score"
    if len(independent(fields)) < 2:
        return "one field alone"
    if any(field.level == "two names" for field in fields):
        return "two given names"
    return ""


def independent(fields: tuple[Evidence, ...]) -> frozenset[str]:
    """The fields that agree, those that depend on each other as one: a name counts once, and only as a whole."""
    agree = {field.field for field in fields if field.agrees}
    whole = "name" in agree or {"given", "family"} <= agree
    return frozenset((agree - {"given", "family", "name"}) | ({"name"} if whole else set()))
