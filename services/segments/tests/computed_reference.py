"""What a computed trait is, said as plainly as possible: over a person's whole history."""

from __future__ import annotations

from collections import Counter

from cdp_contracts.computed_v1 import Favourite, Recency, Score, Tier
from cdp_contracts.conditions_v1 import CountOf
from cdp_segments.domain import quantities, reference
from cdp_segments.domain.comparing import lookup, number
from cdp_segments.domain.reference import History

DAY = 86_400_000


def counted(rule, happenings):
    """The events of a kind, in order."""
    return reference._counted(happenings, CountOf(event=rule.event, where=rule.where))


def plain(how, happenings, now):
    """The value of a trait at an instant, later events aside; None if there is none."""
    match how:
        case Recency(most_days=most):
            done = counted(how, happenings)
            return min(most, max(0, now - done[-1].at) // DAY) if done else None
        case Score():
            amount = score(how, happenings, now)
            return None if amount is None else round(amount, 3)
        case Favourite():
            return favourite(how, happenings, now)
        case Tier(of=of, tiers=tiers):
            amount = score(of, happenings, now) if isinstance(of, Score) else plain(of, happenings, now)
            reached = [tier.name for tier in tiers if amount is not None and amount >= tier.at_least]
            return reached[-1] if reached else None
        case _:
            ever = reference._counted(happenings, how)
            held = reference._within(how, how.window, History(happenings), now)
            return reference._amount(held, how) if ever else None


def score(how, happenings, now):
    parts = [
        weight.weight * 0.5 ** (max(0, now - h.at) / (how.half_life_seconds * 1000))
        for weight in how.of
        for h in counted(weight, happenings)[-quantities.MARKS_KEPT :]
    ]
    return sum(parts) if parts else None


def is_kept(value):
    return isinstance(value, str | bool) or (number(value) and abs(value) <= 1e15)


def favourite(how, happenings, now):
    path = tuple(how.property.split("."))
    named = [(h, lookup(h.event.properties, path)) for h in counted(how, happenings)]
    named = [(h, value) for h, value in named if is_kept(value)]
    kept = named[-quantities.MARKS_KEPT :]
    within = reference._held(how.window, [h for h, _ in kept], now)
    values = [(isinstance(value, bool), value) for h, value in kept if h in within]
    latest = {(isinstance(value, bool), value): h.at for h, value in kept if h in within}
    often = Counter(values)
    if not often:
        return None
    best = max((often[value], latest[value]) for value in often)
    of_them = [value for value in often if (often[value], latest[value]) == best]
    return min(of_them, key=lambda v: (v[0], isinstance(v[1], str), v[1]))[1]
