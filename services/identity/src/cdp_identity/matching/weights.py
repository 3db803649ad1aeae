"""The shipped weights: no training, no labels, no run of expectation maximization.

A level's probabilities are m (of two records of one person), u (of strangers) and f (of two people of one family).
They were set by hand and judged on FEBRL 1, FEBRL 2 and RLdata500 only. Where a level has a term (a surname, a
street), u comes from how often the term is met; `Prior` says what is believed before anything was counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Final


@dataclass(frozen=True, slots=True)
class Level:
    """How strongly two values agree: log(m/u) against strangers, log(m/f) against a family. Natural logarithms."""

    name: str
    m: float
    u: float
    f: float
    agrees: bool = False

    @property
    def stranger(self) -> float:
        """Evidence against two strangers."""
        return log(self.m / self.u)

    @property
    def family(self) -> float:
        """Evidence against two people of one family."""
        return log(self.m / self.f)


@dataclass(frozen=True, slots=True)
class Prior:
    """Of a kind of term: how frequent one is believed to be, and how many people that belief is worth."""

    share: float
    worth: float = 100.0


GIVEN: Final = {
    "exact": Level("exact", 0.84, 0.006, 0.015, agrees=True),
    "nickname": Level("nickname", 0.05, 0.004, 0.006, agrees=True),
    "typo": Level("typo", 0.06, 0.004, 0.012, agrees=True),  # Jaro-Winkler >= .92
    "two names": Level(
        "two names", 0.012, 0.012, 0.03
    ),  # as close as a typo, and each a name: Daniel and Danielle
    "close": Level("close", 0.025, 0.010, 0.020),  # >= .85
    "initial": Level("initial", 0.05, 0.05, 0.04),
    "other": Level("other", 0.008, 0.93, 0.93),
}
FAMILY: Final = {
    "exact": Level("exact", 0.86, 0.002, 0.86, agrees=True),
    "typo": Level("typo", 0.06, 0.002, 0.06, agrees=True),
    "part": Level("part", 0.03, 0.002, 0.04, agrees=True),  # one of a double name
    "close": Level("close", 0.03, 0.010, 0.03),
    "other": Level("other", 0.04, 0.98, 0.15),
}
SWAPPED: Final = Level("given and family name swapped", 0.02, 0.00004, 0.0005, agrees=True)
MOVED: Final = Level("one name in the other's place", 0.006, 0.0004, 0.01)
MIDDLE: Final = {
    "exact": Level("exact", 0.80, 0.03, 0.05),
    "initial": Level("initial", 0.15, 0.09, 0.09),
    "other": Level("other", 0.01, 0.88, 0.86),
}
SUFFIX: Final = {"same": Level("same", 0.98, 0.6, 0.5), "other": Level("other", 0.02, 0.4, 0.9)}
BIRTH: Final = {
    "exact": Level("exact", 0.88, 0.00005, 0.008, agrees=True),
    "one edit": Level("one edit", 0.06, 0.0015, 0.010, agrees=True),
    "two edits": Level("two edits", 0.03, 0.02, 0.04),
    "year": Level("year", 0.95, 0.016, 0.03),
    "other": Level("other", 0.01, 0.975, 0.94),
}
NATIONAL_ID: Final = {
    "exact": Level("exact", 0.90, 0.00001, 0.002, agrees=True),
    "one edit": Level("one edit", 0.06, 0.0001, 0.02, agrees=True),
    "other": Level("other", 0.04, 0.999, 0.97),
}
EMAIL: Final = {
    "exact": Level("exact", 0.65, 0.00002, 0.08, agrees=True),
    "typo": Level("typo", 0.05, 0.0001, 0.005, agrees=True),
    "local part": Level("local part", 0.08, 0.0005, 0.01),
    "other": Level("other", 0.22, 0.999, 0.95),
}
PHONE: Final = {
    "exact": Level("exact", 0.60, 0.00002, 0.30, agrees=True),
    "one edit": Level("one edit", 0.04, 0.0002, 0.02),
    "other": Level("other", 0.36, 0.999, 0.70),
}
SEX: Final = {"same": Level("same", 0.97, 0.5, 0.5), "other": Level("other", 0.03, 0.5, 0.5)}
OTHER: Final = {
    "exact": Level("exact", 0.70, 0.02, 0.30),
    "close": Level("close", 0.10, 0.02, 0.10),
    "other": Level("other", 0.20, 0.96, 0.60),
}
STREET: Final = {
    "exact": Level("exact", 0.66, 0.0015, 0.9, agrees=True),
    "typo": Level("typo", 0.14, 0.0015, 0.9, agrees=True),
    "other": Level("other", 0.20, 0.99, 0.20),
}
LINE: Final = Level("second line", 0.8, 0.04, 0.9)
NUMBER: Final = {"exact": Level("exact", 0.85, 0.02, 0.9), "other": Level("other", 0.15, 0.98, 0.2)}
LOCALITY: Final = {
    "exact": Level("exact", 0.75, 0.004, 0.9),
    "typo": Level("typo", 0.10, 0.006, 0.9),
    "other": Level("other", 0.15, 0.98, 0.2),
}
ADDRESS_FLOOR: Final = -1.5  # people move
ADDRESS_CEILING: Final = 16.0

PRIORS: Final = {
    "given": Prior(1 / 150),
    "family": Prior(1 / 700),
    "birth": Prior(1 / 20_000),
    "street": Prior(1 / 1_000),
    "locality": Prior(1 / 300),
    "postcode": Prior(1 / 500),
    "home": Prior(1 / 10_000),
    "email": Prior(1 / 50_000),
    "phone": Prior(1 / 50_000),
    "birth_place": Prior(1 / 100),
    "employer": Prior(1 / 200),
    "occupation": Prior(1 / 100),
}
RAREST: Final = 0.00002  # nothing is taken for rarer: what is met once may be a typing error

LEAST_PEOPLE: Final = 2_000  # of whom at least the population is believed to consist
CLEAR: Final = 3.0  # log-odds from which two records of a house count as of one person, or of two
WORTH_AT_HOME: Final = 0.5  # pairs of each kind believed to have been met (Jeffreys' prior)
MOST_AT_HOME: Final = 6.0

OWN_RIGHT: Final = 5  # people who bear a given name, from which it is not taken for a typing error

REVIEW: Final = 0.0  # log-odds from which a person is asked
AUTO: Final = 5.0  # log-odds from which nobody is
