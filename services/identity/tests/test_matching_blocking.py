"""Which records are compared: keys that forgive errors, and sketches of addresses."""

from __future__ import annotations

import random

import pytest
from cdp_identity.matching.blocking import keys_of
from cdp_identity.matching.record import record_of
from cdp_identity.matching.sketch import BANDS, ROWS, sketch_of

ADA = {"first_name": "Ada", "last_name": "Byron"}


def found(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """The kinds of key that two records share."""
    mine, theirs = (set(keys_of(record_of("r", fields))) for fields in (one, other))
    return {key.split(":")[0] for key in mine & theirs}


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (ADA, {"first_name": "Byron", "last_name": "Ada"}, "names"),
        ({"ssn": "123456789"}, {"ssn": "123456780"}, "half"),
        ({"ssn": "123456789"}, {"ssn": "023456789"}, "half"),
        (
            {"address_1": "clermont street", "address_2": "edenborough park villa"},
            {"address_1": "cleromnt street", "address_2": "edenborough prk villa"},
            "near",
        ),
    ],
    ids=["swapped", "last-digit", "first-digit", "typing-errors-in-each-line"],
)
def test_errors_are_forgiven(one: dict[str, str], other: dict[str, str], kind: str) -> None:
    assert kind in found(one, other)


def test_a_short_text_has_no_sketch() -> None:
    assert list(sketch_of(["elm", "6101"])) == []
    assert list(sketch_of([])) == []


def test_a_sketch_does_not_depend_on_the_order_of_words() -> None:
    words = ["clermontstreet", "edenpark", "6101"]
    assert list(sketch_of(words)) == list(sketch_of(words[::-1]))
    assert len(set(sketch_of(words))) == BANDS


@pytest.mark.parametrize("alike", [0.1, 0.25, 0.43, 0.66, 0.9])
def test_texts_share_a_key_as_often_as_the_curve_says(alike: float) -> None:
    """Of two texts that have this part of their trigrams in common: 1 - (1 - part ** rows) ** bands."""
    rng, size, rounds = random.Random(7), 60, 1000
    common = round(2 * size * alike / (1 + alike))
    shared = 0
    for _ in range(rounds):
        words = [chr(n) for n in rng.sample(range(0x4E00, 0x9FFF), 2 * size)]  # each is one trigram, with its ends
        one, other = words[:size], [*words[:common], *words[size : 2 * size - common]]
        shared += not {*sketch_of(one)}.isdisjoint(sketch_of(other))
    part = common / (2 * size - common)
    assert shared / rounds == pytest.approx(1 - (1 - part**ROWS) ** BANDS, abs=0.04)
