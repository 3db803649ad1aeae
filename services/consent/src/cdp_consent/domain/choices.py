"""What one id has chosen: a fold over the signals of its events, in which the newest choice stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias

from cdp_contracts.events_v1 import Purpose

Standing: TypeAlias = Literal["granted", "gpc", "not-asked", "denied", "withdrawn"]

SEVERITY: Final[Mapping[str, int]] = {"granted": 0, "gpc": 1, "not-asked": 2, "denied": 3, "withdrawn": 4}
EVERY: Final = "*"  # an unreadable choice concerns every purpose, those of later policies included
CONFIRM_AFTER: Final = timedelta(minutes=1)
FOREVER: Final = datetime.max.replace(tzinfo=UTC)


class Moment(NamedTuple):
    """When a choice came. Events of one request share `received_at`; their sender's clock tells them apart."""

    received_at: datetime
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Signal:
    """What one event says about its person's choices, in the purposes of the policy."""

    moment: Moment
    message_id: str
    choices: Mapping[Purpose, bool] = field(default_factory=dict)
    unreadable: bool = False
    gpc: tuple[Purpose, ...] = ()
    deliberate: bool = False
    """An act of its own, a consent event: not a consent object that repeats on every event what was chosen."""

    @property
    def silent(self) -> bool:
        """Whether it says nothing."""
        return not (self.choices or self.unreadable or self.gpc)


@dataclass(frozen=True, slots=True)
class Mark:
    """The choice that stands for a purpose."""

    standing: Standing
    moment: Moment
    message_id: str
    since: datetime
    """A grant covers what was received from here on."""
    over_gpc: bool = False
    """The person granted by a consent event although the browser's signal was known."""
    unopposed: bool = False
    """Nothing was ever heard against it: an older grant that arrives later lets it hold from earlier."""

    @property
    def order(self) -> tuple[Moment, int, str]:
        """Choices are ordered by this: on a tie the more restrictive one is the later."""
        return self.moment, min(SEVERITY[self.standing], SEVERITY["denied"]), self.message_id


@dataclass(frozen=True, slots=True)
class Choices:
    """What stands for one id. Immutable; `heard` answers what stands after a signal."""

    marks: Mapping[Purpose, Mark] = field(default_factory=dict)
    gpc: Mapping[Purpose, datetime] = field(default_factory=dict)
    """When the browser's signal was first received, per purpose that it denied."""

    def standing(self, purpose: Purpose, received_at: datetime) -> Standing | None:
        """What stands for a purpose, for an event of that time; None: this id had not chosen by then.

        A restriction holds for whatever is decided after it; a grant never for what came before it. Where nothing
        was ever heard against the grant, nothing stood before it, as was so when the event came.
        """
        mark = self.newest(purpose)
        if mark is None:
            return "gpc" if purpose in self.gpc else None
        if mark.standing != "granted":
            return mark.standing
        if purpose in self.gpc and not mark.over_gpc:
            return "gpc"
        if received_at >= mark.since:
            return "granted"
        return None if mark.unopposed else "not-asked"

    def snapshot(self) -> dict[Purpose, Standing]:
        """What stands now for each purpose ever touched."""
        touched = sorted({*self.marks, *self.gpc})
        return {p: s for p in touched if (s := self.standing(p, FOREVER)) is not None}

    def newest(self, purpose: Purpose) -> Mark | None:
        """The choice that stands for a purpose: made for it, or for every one."""
        own, every = self.marks.get(purpose), self.marks.get(EVERY)
        if own is None or every is None:
            return own or every
        return max(own, every, key=lambda mark: mark.order)

    def heard(self, signal: Signal) -> Choices:
        """What stands after a signal: the same object if it changes nothing, as when it is heard again.

        An older choice that arrives later does not stand, but it tells from when the grant holds that does: an
        older grant lets it begin earlier, an older restriction later. A consent object tells what stood when its
        event happened: it lifts no restriction that is younger by the sender's clock, and where it only confirms,
        it changes nothing, but for a restriction once a minute, so that no late grant slips in before it.
        """
        choices = _unreadable(self, signal) if signal.unreadable else self
        for purpose, allowed in signal.choices.items():
            if not (allowed and signal.unreadable):
                choices = _chosen(choices, purpose, signal, allowed=allowed)
        unknown = [purpose for purpose in signal.gpc if purpose not in choices.gpc]
        if unknown:
            choices = replace(choices, gpc={**choices.gpc, **dict.fromkeys(unknown, signal.moment.received_at)})
        return choices


def _unreadable(choices: Choices, signal: Signal) -> Choices:
    old = choices.marks.get(EVERY)
    mark = Mark("not-asked", signal.moment, signal.message_id, signal.moment.received_at)
    newer = {p: m for p, m in choices.marks.items() if m.order >= mark.order}
    overridden = choices.marks.keys() - newer.keys() - {EVERY}
    shortened = {p: _begun(m, signal, allowed=False) for p, m in newer.items()}
    if EVERY in newer or (old and not overridden and not _replaces(old, mark, signal)):
        return choices if shortened == newer else replace(choices, marks={**choices.marks, **shortened})
    return replace(choices, marks={**shortened, EVERY: mark})


def _chosen(choices: Choices, purpose: Purpose, signal: Signal, *, allowed: bool) -> Choices:
    old = choices.newest(purpose)
    mark = _granted(choices, purpose, signal) if allowed else _denied(old, signal)
    if old and not _replaces(old, mark, signal):
        mark = _begun(old, signal, allowed=allowed) if mark.order < old.order else old
        if mark == old:
            return choices
    return replace(choices, marks={**choices.marks, purpose: mark})


def _begun(mark: Mark, signal: Signal, *, allowed: bool) -> Mark:
    """The mark that stands, after an older choice. Only a grant changes: in the time from which it holds."""
    if mark.standing != "granted":
        return mark
    received_at = signal.moment.received_at
    if allowed:
        return replace(mark, since=received_at) if mark.unopposed and received_at < mark.since else mark
    since = mark.since if received_at < mark.since else mark.moment.received_at
    return replace(mark, since=since, unopposed=False)


def _granted(choices: Choices, purpose: Purpose, signal: Signal) -> Mark:
    received_at = signal.moment.received_at
    old = choices.newest(purpose)
    goes_on = old is not None and choices.standing(purpose, old.since) == "granted"
    known = choices.gpc.get(purpose)
    over_gpc = signal.deliberate and (purpose in signal.gpc or (known is not None and known < received_at))
    if old and goes_on:
        return Mark("granted", signal.moment, signal.message_id, old.since, over_gpc, old.unopposed)
    return Mark("granted", signal.moment, signal.message_id, received_at, over_gpc, not (old or known))


def _denied(old: Mark | None, signal: Signal) -> Mark:
    had_granted = old is not None and old.standing in ("granted", "withdrawn")
    standing: Standing = "withdrawn" if had_granted else "denied"
    return Mark(standing, signal.moment, signal.message_id, signal.moment.received_at)


def _replaces(old: Mark, new: Mark, signal: Signal) -> bool:
    if new.order <= old.order or (new.standing == "granted" and _is_stale(old, signal)):
        return False
    if new.standing != old.standing or signal.deliberate:
        return True
    return new.standing != "granted" and new.moment.received_at - old.moment.received_at >= CONFIRM_AFTER


def _is_stale(old: Mark, signal: Signal) -> bool:
    return not signal.deliberate and signal.moment.occurred_at < old.moment.occurred_at
