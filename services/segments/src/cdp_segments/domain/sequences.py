"""Leaves about events that happen one after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeAlias

from cdp_contracts.sequences_v1 import EventSequence, Interruption, SequenceStep
from cdp_contracts.windows_v1 import Between, Sliding

from cdp_segments.domain import quantities
from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.following import Chain, any_after, begin, by_value, follow, later_than
from cdp_segments.domain.marks import EMPTY, Ring, Seen
from cdp_segments.domain.remedies import Remedy, steps_left
from cdp_segments.domain.selectors import Selector, content_key
from cdp_segments.domain.windows import FOREVER, Ever, Reach, Settled, milliseconds, reach_of
from cdp_segments.domain.wording import words

Rings: TypeAlias = Mapping[str, Ring]


@dataclass(frozen=True, slots=True)
class Step:
    """An event, less than `within` after the step before and with none of the breaks between the two."""

    selector: Selector
    within: int
    breaks: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """No such event after the last step and less than `within` after it."""

    selector: Selector
    within: int


@dataclass(frozen=True)
class SequenceLeaf:
    """A sequence has happened at least so often, its last step in the window."""

    condition: EventSequence
    words: str
    steps: tuple[Step, ...]
    within: int
    silence: Silence | None
    reach: Reach
    key: str

    @cached_property
    def selectors(self) -> dict[str, Selector]:
        """Of all that has a part in it."""
        events = [selector for step in self.steps for selector in (step.selector, *step.breaks)]
        events += [self.silence.selector] if self.silence else []
        return {selector.key: selector for selector in events}

    @property
    def asks(self) -> tuple[Ask, ...]:
        """One for each kind of event. Of the clock only the last step's time matters."""
        last, kept = self.steps[-1].selector, quantities.MARKS_KEPT
        silent = self.silence.selector.key if self.silence else None
        others = [each for each in self.selectors.values() if each.key != last.key]
        return Ask(last, kept, self.reach), *(
            Ask(each, kept, Ever(), before=None if each.key == silent else last.key) for each in others
        )

    @property
    def threshold(self) -> int:
        """How often it should have happened."""
        return self.condition.times

    @cached_property
    def lookback(self) -> int:
        """How long before its last step a sequence may have begun."""
        return min(self.within, sum(step.within for step in self.steps[1:]))

    def measure(self, person: Measured, now: int) -> int:
        """How often it has happened."""
        return bisect_right(self.ends(person, self.reach.after(now)), self.reach.upto(now))

    def holds(self, person: Measured, now: int) -> bool:
        """Whether that is often enough."""
        return self.measure(person, now) >= self.threshold

    def ends(self, person: Measured, since: int = -FOREVER) -> list[int]:
        """When sequences ended, later than `since`, in order; whether the time that must follow is up or not."""
        if not all(person.rings.get(step.selector.key) for step in self.steps):
            return []
        rings = [person.rings.get(key, EMPTY) for key in self.selectors]
        seen, ended = person.found.get(self.key, ([], []))
        changed = self._changed_after(seen, rings)
        if changed < FOREVER:
            again = (at for alike in self._alike(person.rings, changed) for at in self._ends(alike, changed))
            ended = [*ended[: bisect_right(ended, changed)], *sorted(again)]
            person.found[self.key] = [(len(ring), [*ring[:1], *ring[-1:]]) for ring in rings], ended
        return ended[bisect_right(ended, since) :]

    def _changed_after(self, seen: Sequence[Seen], rings: Sequence[Ring]) -> int:
        """After which instant sequences may end elsewhere than when these rings were last seen; never is for ever.

        Rings only grow, until the oldest marks go. What was put at the end has no part in what ended before it.
        """
        changed = FOREVER if seen else -FOREVER
        for (size, ends), (key, ring) in zip(seen, zip(self.selectors, rings, strict=True), strict=False):
            if size and [*ring[:1], *ring[size - 1 : size]] != ends:
                return -FOREVER
            if len(ring) > size:
                wait = self.silence.within if self.silence and self.silence.selector.key == key else 1
                changed = min(changed, ring[size][0] - wait)
        return changed

    def instants(self, person: Measured) -> Iterator[int]:
        """When the clock alone changes the truth."""
        spans: list[tuple[int, int]] = []
        ends = self.ends(person)
        for first, last in zip(ends, ends[self.threshold - 1 :], strict=False):
            start, end = self.reach.enters(last), self.reach.leaves(first)
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            elif start < end:
                spans.append((start, end))
        return chain.from_iterable(spans)

    def held(self, person: Measured, now: int) -> Ring:
        """The last steps that count."""
        return [(at, 0) for at in self.ends(person, self.reach.after(now)) if at <= self.reach.upto(now)]

    def reached(self, person: Measured, now: int) -> int:
        """The last step that anything came to, from 1; 0 if it has not begun."""
        since = self.reach.after(now)
        return max((sum(map(bool, self._chains(r, since))) for r in self._alike(person.rings)), default=0)

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """The steps that are left, as often as it takes; nothing that happens takes away what has happened."""
        then = self.reach.enters(now)
        often = self.threshold - self.measure(person, then)
        if often <= 0 or self.holds(person, now) or any(now < at <= then for at in self.instants(person)):
            return None
        left = min(self._left(rings, now) for rings in (*self._alike(person.rings), {}))
        return steps_left(self.condition, left, often, then if self.reach.delayed else None)

    def capped(self, person: Measured, now: int) -> bool:
        """Whether events that are not kept may have had a part in it."""
        since = self.reach.after(now) - self.lookback
        rings = (person.rings.get(key, EMPTY) for key in self.selectors)
        return any(len(ring) >= quantities.MARKS_KEPT and ring[0][0] > since for ring in rings)

    def _ends(self, rings: Rings, since: int) -> Iterator[int]:
        *_, chains = self._chains(rings, since)
        forbidden, wait = EMPTY, 0
        if self.silence:
            forbidden, wait = rings.get(self.silence.selector.key, EMPTY), self.silence.within
        for at, start in chains:
            if at > since and at - start < self.within and not any_after(forbidden, at, wait):
                yield at

    def _chains(self, rings: Rings, since: int) -> Iterator[list[Chain]]:
        """The chains after each step."""
        first, *others = self.steps
        earliest = since - self.lookback if others else since
        chains = begin(later_than(rings.get(first.selector.key, EMPTY), earliest))
        yield chains
        for step in others:
            after = since if step is others[-1] else earliest
            ring = later_than(rings.get(step.selector.key, EMPTY), after)
            chains = follow(chains, ring, step.within, [rings.get(each.key, EMPTY) for each in step.breaks])
            yield chains

    def _left(self, rings: Rings, now: int) -> int:
        """How many of the steps are left, if the next one happens now."""
        *chains, _ = self._chains(rings, -FOREVER)
        for number, (before, step) in reversed([*enumerate(zip(chains, self.steps[1:], strict=True), 1)]):
            breaks = [rings.get(each.key, EMPTY) for each in step.breaks]
            if any(now - start < self.within for _, start in follow(before, [(now, 0)], step.within, breaks)):
                return len(self.steps) - number
        return len(self.steps)

    def _alike(self, rings: Rings, ending_after: int | None = None) -> Iterator[Rings]:
        """The events with each value of the property that should be the same; of all, or of late ends."""
        if self.condition.same is None:
            yield rings
            return
        mine = {key: rings.get(key, EMPTY) for key in self.selectors}
        begun, ended = mine[self.steps[0].selector.key], mine[self.steps[-1].selector.key]
        values = {mark[-1] for mark in (begun if ending_after is None else later_than(ended, ending_after))}
        valued = {key: by_value(mine[key], values) for key, selector in self.selectors.items() if selector.value}
        for value in values:
            yield mine | {key: groups.get(value, EMPTY) for key, groups in valued.items()}


def sequence_leaf(condition: EventSequence) -> SequenceLeaf:
    """The leaf of a sequence; ValueError naming the field and the rule if it makes no sense."""
    check_sequence(condition)
    steps = tuple(_step(step, condition.same) for step in condition.steps)
    within, silence, reach = _length(condition.within_seconds), None, reach_of(condition.window)
    if after := condition.not_after:
        silence = Silence(_interruption(after, condition.same), milliseconds(after.within_seconds))
        reach = Settled(reach, silence.within)
    key = content_key("sequence", repr(steps), within, repr(silence), repr(reach), condition.same, condition.times)
    return SequenceLeaf(condition, words(condition), steps, within, silence, reach, key)


def check_sequence(condition: EventSequence) -> None:
    """ValueError naming the field and the rule."""
    first, after = condition.steps[0], condition.not_after
    if first.within_seconds is not None or first.not_between:
        raise ValueError("steps/0: within_seconds and not_between are about the step before, and there is none")
    if len(condition.steps) == 1 and after is None:
        raise ValueError("steps: a single step needs not_after")
    forbidden = [each for step in condition.steps for each in step.not_between] + ([after] if after else [])
    if condition.same is None and any(each.same for each in forbidden):
        raise ValueError("same: an event that must not happen can have the same property only if the steps have")
    match condition.window:
        case Sliding(seconds=longest) | Between(to_seconds=float(longest)):
            if after and milliseconds(after.within_seconds) >= milliseconds(longest):
                raise ValueError("not_after: within_seconds must be less than the window is long")


def _step(step: SequenceStep, same: str | None) -> Step:
    breaks = tuple(_interruption(each, same) for each in step.not_between)
    return Step(Selector.alike(step, same), _length(step.within_seconds), breaks)


def _interruption(event: Interruption, same: str | None) -> Selector:
    return Selector.alike(event, same if event.same else None)


def _length(seconds: float | None) -> int:
    return FOREVER if seconds is None else milliseconds(seconds)
