"""What one field says of two records."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from cdp_identity.matching.weights import Level


@dataclass(frozen=True, slots=True)
class Evidence:
    """One field's part of the score, in log-odds: against two strangers, and against two of one family."""

    field: str
    level: str
    stranger: float
    family: float
    agrees: bool


def said(field: str, level: Level, share: float | None = None) -> Evidence:
    """A level's evidence; `share` is how probable it is at a stranger, where that was counted."""
    if not share:
        return Evidence(field, level.name, level.stranger, level.family, level.agrees)
    return Evidence(field, level.name, log(level.m / share), log(level.m / max(level.f, share)), level.agrees)
