"""What is counted of events: of those that one identifier attributed (a share), or of all of somebody's."""

from __future__ import annotations

from collections.abc import Iterable

from cdp_runtime.records import State

from cdp_segments.domain import marks
from cdp_segments.domain.marks import Ring
from cdp_segments.domain.visits import Visits
from cdp_segments.domain.words import Words, parse_words, words_state


class Share:
    """Marks by selector, visits by gap, and the leaves of visits that stay fulfilled whatever comes (`ever`).

    `words` are the values that the numbers in some of the marks stand for.

    What is in it depends on its events alone, not on whose they were or whose else's were counted beside them.
    """

    __slots__ = ("ever", "rings", "visits", "words")

    def __init__(self) -> None:
        self.rings: dict[str, Ring] = {}
        self.visits: dict[int, Visits] = {}
        self.ever: set[str] = set()
        self.words: Words = {}

    def __bool__(self) -> bool:
        """Whether anything is counted in it."""
        return bool(self.rings or self.visits or self.ever)

    @property
    def valued(self) -> bool:
        """Whether any mark carries a value."""
        rings = (self.rings, *(visits.marks for visits in self.visits.values()))
        return any(marks.valued(ring) for each in rings for ring in each.values())

    def copy(self) -> Share:
        """One that shares nothing with this."""
        return Share.from_state(self.to_state())

    def to_state(self) -> State:
        """As BSON can hold it."""
        return {
            "rings": marks.dump_rings(self.rings),
            **_values_state(self.rings),
            **words_state(self.words, self.rings),
            "visits": [_visits_state(gap, visits) for gap, visits in self.visits.items()],
            "ever": sorted(self.ever),
        }

    @classmethod
    def from_state(cls, state: State) -> Share:
        """The inverse."""
        share = cls()
        share.rings = marks.parse_rings(state["rings"], state.get("values", {}))
        share.visits = {visits["gap"]: _parse_visits(visits) for visits in state["visits"]}
        share.ever = set(state["ever"])
        share.words = parse_words(state.get("words", ()))
        return share


def shares_state(shares: dict[str, Share]) -> list[State]:
    """Shares by identifier, as BSON can hold them."""
    return [{"part": part, **share.to_state()} for part, share in sorted(shares.items())]


def parse_shares(states: Iterable[State]) -> dict[str, Share]:
    """The inverse."""
    return {state["part"]: Share.from_state(state) for state in states}


def _values_state(rings: dict[str, Ring]) -> State:
    """What an earlier version knows nothing of, if there is any."""
    valued = marks.dump_valued(rings)
    return {"values": valued} if valued else {}


def _visits_state(gap: int, visits: Visits) -> State:
    return {
        "gap": gap,
        "spans": marks.dump(visits.spans),
        "marks": marks.dump_rings(visits.marks),
        **_values_state(visits.marks),
        "horizon": visits.horizon,
    }


def _parse_visits(state: State) -> Visits:
    visits = Visits()
    visits.spans = marks.parse(state["spans"])
    visits.marks = marks.parse_rings(state["marks"], state.get("values", {}))
    visits.horizon = state["horizon"]
    return visits
