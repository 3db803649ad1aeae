"""What stands for an id after the signals it gave."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from random import Random

from cdp_consent.domain.choices import Choices, Moment, Signal
from consent_builders import after, at, signal
from hypothesis import given
from hypothesis import strategies as st

LATER = at(3600)


def standing(*signals: Signal, seconds: float = 3600) -> str | None:
    """What stands for analytics, for an event of that time."""
    return after(*signals).standing("analytics", at(seconds))


def test_who_never_chose_has_nothing() -> None:
    assert standing() is None


def test_the_newest_choice_stands() -> None:
    yes, no = signal("1", 0, analytics=True), signal("2", 1, analytics=False)
    assert standing(yes) == "granted"
    assert standing(no) == "denied"
    assert standing(yes, no) == "withdrawn"
    assert standing(no, signal("3", 2, analytics=True)) == "granted"


def test_a_withdrawal_said_again_stays_one() -> None:
    assert (
        standing(signal("1", analytics=True), *(signal(f"{n}", n, analytics=False) for n in (2, 3))) == "withdrawn"
    )


def test_an_older_choice_that_comes_later_changes_nothing_of_a_restriction() -> None:
    choices = after(signal("2", 1, analytics=False))
    assert choices.heard(signal("1", 0, analytics=True)) is choices


def test_an_older_grant_that_comes_later_lets_the_grant_hold_from_then_on() -> None:
    said = [signal("2", 20, analytics=True), signal("1", 10, analytics=True)]
    assert [standing(*said, seconds=at) for at in (9, 10)] == [None, "granted"]


def test_before_a_first_grant_nothing_stood_and_after_a_no_nothing_was_granted() -> None:
    yes = signal("2", 20, analytics=True)
    assert standing(yes, seconds=19) is None
    assert standing(signal("1", 10, analytics=False), yes, seconds=19) == "not-asked"
    assert standing(signal("1", 10, gpc=("analytics",)), yes, seconds=19) is not None


def test_it_does_not_where_anything_was_against_the_grant() -> None:
    late = signal("late", 15, analytics=True)
    for against in (signal("1", 10, analytics=False), signal("1", 10, gpc=("analytics",))):
        assert standing(against, signal("2", 20, analytics=True), late, seconds=15) == "not-asked"
        assert standing(signal("2", 20, analytics=True), against, late, seconds=15) != "granted"


def test_an_older_restriction_that_comes_later_ends_what_was_granted_before_it() -> None:
    twice = [signal("1", 10, analytics=True), signal("3", 20, analytics=True)]
    for against in (signal("2", 15, analytics=False), signal("2", 15, unreadable=True)):
        assert [standing(*twice, against, seconds=at) for at in (14, 20)] == ["not-asked", "granted"]
        choices = after(*twice, against)
        assert choices.heard(against) is choices


def test_a_choice_heard_again_changes_nothing() -> None:
    said = signal("1", analytics=True, marketing=False, gpc=("marketing",))
    choices = after(said)
    assert choices.heard(said) is choices


def test_a_grant_does_not_reach_back() -> None:
    granted = signal("1", 10, analytics=True)
    assert standing(granted, seconds=10) == "granted"
    assert standing(granted, seconds=9) is None


def test_a_grant_said_again_holds_from_the_first_time_on() -> None:
    assert standing(*(signal(f"{n}", n, analytics=True) for n in (10, 20)), seconds=15) == "granted"


def test_a_grant_after_a_denial_holds_from_then_on() -> None:
    said = [signal("1", 10, analytics=True), signal("2", 20, analytics=False), signal("3", 30, analytics=True)]
    assert standing(*said, seconds=15) == "not-asked"


def test_a_restriction_holds_for_whatever_is_decided_after_it() -> None:
    assert standing(signal("1", 10, analytics=False), seconds=5) == "denied"


class TestWithinOneRequest:
    """Events of one request share the time they were received."""

    def test_the_senders_clock_tells_which_was_last(self) -> None:
        said = [signal("b", 5, analytics=True, occurred=1), signal("a", 5, analytics=False, occurred=2)]
        assert standing(*said) == "withdrawn"
        changed = [signal("b", 5, analytics=False, occurred=1), signal("a", 5, analytics=True, occurred=2)]
        assert standing(*changed) == "granted"

    def test_on_a_tie_the_restriction_stands(self) -> None:
        for said in permutations([signal("z", 5, analytics=True), signal("a", 5, analytics=False)]):
            assert standing(*said) in ("denied", "withdrawn")


class TestUnreadableChoices:
    """What was said but cannot be read is never taken for a yes."""

    def test_nothing_is_granted_any_more(self) -> None:
        choices = after(signal("1", analytics=True), signal("2", 1, unreadable=True))
        assert choices.snapshot() == {"*": "not-asked"}
        assert choices.standing("analytics", LATER) == "not-asked"

    def test_purposes_of_later_policies_are_meant_too(self) -> None:
        assert after(signal("1", unreadable=True)).standing("anything", LATER) == "not-asked"

    def test_a_yes_in_it_does_not_count_and_a_no_does(self) -> None:
        choices = after(signal("1", unreadable=True, analytics=True, marketing=False))
        assert choices.standing("analytics", LATER) == "not-asked"
        assert choices.standing("marketing", LATER) == "denied"

    def test_a_later_choice_stands(self) -> None:
        choices = after(signal("1", unreadable=True), signal("2", 1, analytics=True))
        assert choices.standing("analytics", LATER) == "granted"
        assert choices.standing("marketing", LATER) == "not-asked"

    def test_it_overrides_a_choice_made_since_the_last_unreadable_one(self) -> None:
        said = [signal("1", unreadable=True, deliberate=False), signal("2", 1, analytics=True)]
        assert standing(*said, signal("3", 2, unreadable=True, deliberate=False)) == "not-asked"

    def test_an_older_one_that_comes_later_spares_what_is_newer(self) -> None:
        choices = after(signal("2", 5, analytics=True), signal("1", 1, unreadable=True))
        assert choices.standing("analytics", LATER) == "granted"
        assert choices.standing("marketing", LATER) == "not-asked"

    def test_an_unreadable_one_older_than_the_last_changes_nothing(self) -> None:
        choices = after(signal("2", 5, unreadable=True))
        assert choices.heard(signal("1", 1, unreadable=True)) is choices


class TestTheBrowsersSignal:
    """Sec-GPC: explicit choice, then signal, then default; but the signal beats an earlier opt-in."""

    def test_it_denies_who_never_chose(self) -> None:
        assert standing(signal("1", gpc=("analytics",))) == "gpc"

    def test_it_beats_an_earlier_grant(self) -> None:
        assert standing(signal("1", analytics=True), signal("2", 1, gpc=("analytics",))) == "gpc"

    def test_a_later_grant_beats_it_for_good(self) -> None:
        said = [signal("1", gpc=("analytics",)), signal("2", 1, analytics=True)]
        assert standing(*said) == "granted"
        assert standing(*said, signal("3", 2, gpc=("analytics",), deliberate=False)) == "granted"

    def test_a_consent_event_sent_along_with_it_beats_it(self) -> None:
        said = [signal("1", analytics=True, gpc=("analytics",))]
        assert standing(*said, signal("2", 1, gpc=("analytics",), deliberate=False)) == "granted"

    def test_a_consent_object_first_seen_along_with_it_does_not(self) -> None:
        assert standing(signal("1", analytics=True, gpc=("analytics",), deliberate=False)) == "gpc"

    def test_a_consent_object_that_repeats_an_earlier_yes_does_not(self) -> None:
        said = [signal("1", analytics=True), signal("2", 1, gpc=("analytics",), deliberate=False)]
        assert standing(*said, signal("3", 2, analytics=True, deliberate=False)) == "gpc"
        assert standing(*said, signal("3", 2, analytics=True, deliberate=True)) == "granted"

    def test_a_consent_object_that_turns_to_yes_does_not(self) -> None:
        said = [signal("1", gpc=("analytics",)), signal("2", 1, analytics=False), signal("3", 2, unreadable=True)]
        assert standing(said[0], signal("4", 3, analytics=True, deliberate=False)) == "gpc"
        assert standing(*said, signal("4", 3, analytics=True, deliberate=False)) == "gpc"
        assert standing(*said, signal("4", 3, analytics=True, deliberate=True)) == "granted"

    def test_a_grant_older_than_the_signal_does_not_beat_it_by_coming_later(self) -> None:
        assert standing(signal("2", 5, gpc=("analytics",)), signal("1", 1, analytics=True)) == "gpc"

    def test_what_was_denied_stays_denied(self) -> None:
        assert standing(signal("1", analytics=False), signal("2", 1, gpc=("analytics",))) == "denied"

    def test_a_grant_over_it_holds_from_then_on(self) -> None:
        said = [signal("1", analytics=True), signal("2", 10, gpc=("analytics",)), signal("3", 20, analytics=True)]
        assert standing(*said, seconds=15) == "not-asked"

    def test_seen_again_it_changes_nothing(self) -> None:
        choices = after(signal("1", gpc=("analytics",)))
        assert choices.heard(signal("2", 1, gpc=("analytics",))) is choices


class TestConsentObjects:
    """Many senders stamp every event with what was chosen before: they must not cost a write each."""

    def test_one_that_confirms_changes_nothing(self) -> None:
        choices = after(signal("1", analytics=True, marketing=False, deliberate=False))
        assert choices.heard(signal("2", 59, analytics=True, marketing=False, deliberate=False)) is choices

    def test_a_restriction_is_confirmed_once_a_minute(self) -> None:
        first = after(signal("1", analytics=False, deliberate=False))
        confirmed = first.heard(signal("2", 60, analytics=False, deliberate=False))
        assert confirmed is not first
        assert confirmed.snapshot() == first.snapshot()
        assert confirmed.heard(signal("late", 30, analytics=True)) is confirmed

    def test_a_grant_is_not(self) -> None:
        first = after(signal("1", analytics=True, deliberate=False))
        assert first.heard(signal("2", 3600, analytics=True, deliberate=False)) is first

    def test_one_that_differs_is_a_choice(self) -> None:
        said = [signal("1", analytics=True, deliberate=False), signal("2", 1, analytics=False, deliberate=False)]
        assert standing(*said) == "withdrawn"
        assert standing(*said, signal("3", 2, analytics=True, deliberate=False)) == "granted"

    def test_one_from_before_a_withdrawal_does_not_lift_it_by_arriving_after_it(self) -> None:
        withdrawn = [signal("1", 0, analytics=True), signal("2", 10, analytics=False)]
        assert standing(*withdrawn, signal("3", 20, occurred=9, analytics=True, deliberate=False)) == "withdrawn"
        assert standing(*withdrawn, signal("3", 20, occurred=9, analytics=True, deliberate=True)) == "granted"

    def test_a_consent_event_that_confirms_is_kept(self) -> None:
        first = after(signal("1", analytics=True))
        assert first.heard(signal("2", 1, analytics=True)) is not first


acts = st.lists(
    st.builds(
        lambda n, seconds, occurred, said, unreadable: signal(
            str(n), seconds, occurred=occurred, unreadable=unreadable, **said
        ),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 3),
        st.dictionaries(st.sampled_from(["analytics", "marketing"]), st.booleans(), max_size=2),
        st.booleans(),
    ),
    max_size=5,
)


def marks(choices: Choices) -> dict[str, object]:
    """What stands, without what only the order of arrival tells: whether a no took back a yes."""
    found = {p: choices.newest(p) for p in ("analytics", "marketing", "anything")}
    return {p: m and (m.moment, m.standing.replace("withdrawn", "denied")) for p, m in found.items()}


@given(acts, st.randoms(use_true_random=False))
def test_consent_events_may_arrive_in_any_order(said: list[Signal], random: Random) -> None:
    shuffled = list(said)
    random.shuffle(shuffled)
    assert marks(after(*said)) == marks(after(*shuffled)) == marks(after(*said, *shuffled))


@given(acts, acts, st.integers(0, 5))
def test_a_denial_newer_than_all_is_never_lifted_by_what_came_before(
    before: list[Signal], late: list[Signal], seconds: int
) -> None:
    choices = after(*before, signal("no", 4, analytics=False), *late)
    assert choices.standing("analytics", at(seconds)) in ("denied", "withdrawn")


@given(acts)
def test_consent_objects_in_their_order_are_heard_once(said: list[Signal]) -> None:
    objects = [
        replace(each, deliberate=False, moment=Moment(at(n), at(n)), message_id=str(n))
        for n, each in enumerate(said)
    ]
    choices = after(*objects)
    assert after(*objects, *objects).snapshot() == choices.snapshot()


@given(acts, st.randoms(use_true_random=False), st.integers(0, 5))
def test_no_order_of_arrival_lets_more_pass_than_their_own(
    said: list[Signal], random: Random, seconds: int
) -> None:
    said.sort(key=lambda each: (each.moment, not each.unreadable, each.message_id))
    shuffled = list(said)
    random.shuffle(shuffled)
    for purpose in ("analytics", "marketing"):
        if after(*shuffled).standing(purpose, at(seconds)) == "granted":
            assert after(*said).standing(purpose, at(seconds)) == "granted"
