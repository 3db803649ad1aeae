"""Properties: a denial more never lets an event pass, and joining ids never loosens."""

from __future__ import annotations

from cdp_consent.domain.choices import Choices
from cdp_consent.domain.decision import Permitted, Withheld
from cdp_contracts.events_v1 import EventValidated
from consent_builders import event, signal
from hypothesis import given
from hypothesis import strategies as st
from test_consent_decision_table import PLACES, STATES, decided

names = st.sampled_from(["Analytics", "C0002", "analytics", "Advertising", "Weather"])
events = st.builds(
    lambda place, gpc, choices, unparsable, kind: event(
        "e", 3, user="ann", place=place, gpc=gpc, choices=choices, unparsable=unparsable, kind=kind
    ),
    st.sampled_from(list(PLACES)),
    st.booleans(),
    st.none() | st.dictionaries(names, st.booleans(), max_size=3),
    st.booleans(),
    st.sampled_from(["track", "consent"]),
)
states = st.sampled_from(list(STATES.values()))


def more_denied(said: EventValidated, how: str) -> EventValidated:
    """The same event with one denial more."""
    signals = said.signals
    changed = {
        "signal": {"gpc": True},
        "choice": {"choices": {**(signals.choices or {}), "Analytics": False}},
        "unparsable": {"unparsable": True},
        "place": {"jurisdiction": None},
    }[how]
    return said.model_copy(update={"signals": signals.model_copy(update=changed)})


@given(events, states, states, st.sampled_from(["signal", "choice", "unparsable", "place"]))
def test_a_denial_more_never_lets_an_event_pass(
    said: EventValidated, user: Choices, device: Choices, how: str
) -> None:
    if isinstance(decided(said, user, device), Withheld):
        assert isinstance(decided(more_denied(said, how), user, device), Withheld)


@given(events, states, states)
def test_a_denial_more_in_a_state_never_lets_an_event_pass(
    said: EventValidated, user: Choices, device: Choices
) -> None:
    if isinstance(decided(said, user, device), Withheld):
        for denial in (signal("no", 2.5, analytics=False), signal("no", 2.5, unreadable=True)):
            assert isinstance(decided(said, user.heard(denial), device), Withheld)


@given(events, states, states)
def test_joining_ids_never_loosens(said: EventValidated, user: Choices, device: Choices) -> None:
    together = decided(said, user, device)
    for alone in (decided(said, user, user), decided(said, device, device)):
        restricted = isinstance(alone, Withheld) and alone.reason not in ("not-asked", "unparsable")
        assert not (restricted and isinstance(together, Permitted))
    if isinstance(together, Permitted):
        assert any(isinstance(decided(said, one, one), Permitted) for one in (user, device))
