"""Where redirects and partings lead."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from cdp_runtime.redirects import RedirectsInACircle, chain_of
from hypothesis import given
from hypothesis import strategies as st


@dataclass
class Card:
    name: str
    target: str | None = None
    parted: dict[str, tuple[int, str]] = field(default_factory=dict)

    def away(self, identifier: str) -> tuple[int, str] | None:
        return self.parted.get(identifier)


def way(*cards: Card, identifier: str | None = None) -> list[str]:
    return [card.name for card in chain_of({card.name: card for card in cards}, cards[0].name, identifier)]


def test_redirects_are_followed_to_the_end() -> None:
    assert way(Card("a", "b"), Card("b", "c"), Card("c")) == ["a", "b", "c"]


def test_an_identifier_goes_where_it_was_parted_to_and_nothing_else_does() -> None:
    cards = Card("a", "b"), Card("b", parted={"phone": (1, "c")}), Card("c")
    assert way(*cards, identifier="phone") == ["a", "b", "c"]
    assert way(*cards, identifier="laptop") == way(*cards) == ["a", "b"]


def test_what_came_back_by_a_merge_stays_and_may_be_parted_again() -> None:
    kept, part = Card("a", parted={"phone": (1, "b")}), Card("b", "a")
    assert way(kept, part, identifier="phone") == ["a", "b", "a"]
    kept.parted["phone"] = 2, "c"
    assert way(part, kept, Card("c"), identifier="phone") == ["b", "a", "c"]


def test_a_circle_is_an_error_and_not_for_ever() -> None:
    with pytest.raises(RedirectsInACircle):
        way(Card("a", "b"), Card("b", "a"))


@given(
    targets=st.lists(st.integers(0, 9), min_size=10, max_size=10),
    partings=st.lists(st.none() | st.tuples(st.integers(1, 5), st.integers(0, 9)), min_size=10, max_size=10),
)
def test_redirects_to_older_ones_have_an_end_whatever_was_parted(
    targets: list[int], partings: list[tuple[int, int] | None]
) -> None:
    cards = [
        Card(str(n), str(target) if target < n else None, {"phone": (away[0], str(away[1]))} if away else {})
        for n, (target, away) in enumerate(zip(targets, partings, strict=True))
    ]
    records = {card.name: card for card in cards}
    for card in cards:
        *_, last = chain_of(records, card.name, "phone")
        assert last.target is None
