"""What sequences and dwells mean, as plainly: over all that happened, chain by chain and value by value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias

from cdp_contracts.sequences_v1 import Dwell, EventSequence, Interruption, SequenceStep
from pydantic import JsonValue

from cdp_segments.domain import quantities
from cdp_segments.domain.comparing import COMPARISONS, lookup, same
from cdp_segments.domain.windows import milliseconds

if TYPE_CHECKING:
    from cdp_segments.domain.reference import Happening

Counted: TypeAlias = Callable[[SequenceStep | Interruption], list["Happening"]]  # each once, in order


def sequence_ends(sequence: EventSequence, counted: Counted, now: int) -> list[Happening]:
    """The events that end it and are not followed by what must not follow, once the time for that is up."""
    chains = [[first] for first in _newest(counted(sequence.steps[0]), sequence.same)]
    for step in sequence.steps[1:]:
        nexts = _newest(counted(step), sequence.same)
        breaks = [(r, _newest(counted(r), sequence.same if r.same else None)) for r in step.not_between]
        chains = [
            [*chain, each]
            for chain in chains
            for each in nexts
            if _is_next(chain[-1], each, step.within_seconds)
            and _alike(chain[0], each, sequence.same)
            and not any(
                chain[-1].at < h.at < each.at and (not rule.same or _alike(chain[0], h, sequence.same))
                for rule, forbidden in breaks
                for h in forbidden
            )
        ]
    ended = [c for c in chains if len(c) == 1 or _is_next(c[0], c[-1], sequence.within_seconds)]
    last = {chain[-1].id: chain[-1] for chain in ended if _stays_alone(chain, sequence, counted, now)}
    return sorted(last.values(), key=lambda h: (h.at, h.tie))


def _newest(happenings: Sequence[Happening], path: str | None) -> Sequence[Happening]:
    valued = [h for h in happenings if path is None or isinstance(_property(h, path), str | int | float)]
    return valued[-quantities.MARKS_KEPT :]


def _property(happening: Happening, path: str) -> JsonValue:
    return lookup(happening.event.properties, tuple(path.split(".")))


def _is_next(one: Happening, other: Happening, within: float | None) -> bool:
    return one.at < other.at and (within is None or other.at - one.at < milliseconds(within))


def _alike(one: Happening, other: Happening, path: str | None) -> bool:
    return path is None or same(_property(one, path), _property(other, path))


def _stays_alone(chain: Sequence[Happening], sequence: EventSequence, counted: Counted, now: int) -> bool:
    rule = sequence.not_after
    if rule is None:
        return True
    path = sequence.same if rule.same else None
    followers = [h for h in _newest(counted(rule), path) if _alike(chain[0], h, path)]
    late = now - chain[-1].at >= milliseconds(rule.within_seconds)
    return late and not any(_is_next(chain[-1], h, rule.within_seconds) for h in followers)


def dwells(dwell: Dwell, happenings: Iterable[Happening], now: int) -> bool:
    """Whether the values told, from the newest back, all compare as they should for so long and no longer."""
    path = tuple(dwell.trait.split("."))
    told = {h.id: h for h in happenings if path[0] in h.event.traits and h.event.type != "group"}
    newest = sorted(told.values(), key=lambda h: (h.at, h.tie))[-quantities.MARKS_KEPT :]
    run = list(
        takewhile(lambda h: COMPARISONS[dwell.op](lookup(h.event.traits, path), dwell.value), reversed(newest))
    )
    if not run:
        return False
    age, least, most = now - run[-1].at, dwell.at_least_seconds, dwell.less_than_seconds
    return (least is None or age >= milliseconds(least)) and (most is None or age < milliseconds(most))
