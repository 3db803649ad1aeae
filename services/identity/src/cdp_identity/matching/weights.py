"""The shipped weights: no training, no labels, no run of expectation maximization.

A level's probabilities are m (of two records of one person), u (of strangers) and f (of two people of one family).
They were set by hand and judged on FEBRL 1, FEBRL 2 and RLdata500, and on people made up from these. Where a level
has a term (a surname, a street), u comes from how often it is met; `Prior` says what is believed before anything
was counted.
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
    "exact": Level("exact", 0.71, 0.006, 0.015, agrees=True),
    "nickname": Level("nickname", 0.05, 0.004, 0.006, agrees=True),
    "typo": Level("typo", 0.18, 0.004, 0.036, agrees=True),  # Jaro-Winkler >= .92
    "two names": Level("two names", 0.18, 0.18, 0.18),  # as close as a typo, but each is met too often for one
    "close": Level("close", 0.03, 0.010, 0.024),  # >= .85
    "few edits": Level("few edits", 0.03, 0.010, 0.05),  # one in a short name, two in a long one
    "initial": Level("initial", 0.05, 0.05, 0.04),
    "other": Level("other", 0.008, 0.93, 0.93),
}
FAMILY: Final = {
    "exact": Level("exact", 0.69, 0.002, 0.69, agrees=True),
    "typo": Level("typo", 0.20, 0.002, 0.20, agrees=True),
    "part": Level("part", 0.03, 0.002, 0.04, agrees=True),  # one of a double name
    "close": Level("close", 0.03, 0.010, 0.03),
    "few edits": Level("few edits", 0.03, 0.010, 0.03),
    "other": Level("other", 0.05, 0.98, 0.15),
}
SWAPPED: Final = Level("given and family name swapped", 0.03, 0.00004, 0.0005, agrees=True)
MOVED: Final = Level("one name in the other's place", 0.008, 0.0004, 0.01)
ONE_OF: Final = {
    "typo": 0.005,
    "close": 0.001,
    "few edits": 0.0005,
}  # the probability of one misspelling among all that are as close
MIDDLE: Final = {
    "exact": Level("exact", 0.80, 0.03, 0.05),
    "initial": Level("initial", 0.15, 0.09, 0.09),
    "other": Level("other", 0.01, 0.88, 0.86),
}
SUFFIX: Final = {"same": Level("same", 0.98, 0.6, 0.5), "other": Level("other", 0.02, 0.4, 0.9)}
# u and f of dates were counted out on a calendar: 80 years, any day alike.
BIRTH: Final = {
    "exact": Level("exact", 0.74, 0.00005, 0.008, agrees=True),
    "one edit": Level("one edit", 0.18, 0.0011, 0.010, agrees=True),
    "one part": Level("one part", 0.03, 0.003, 0.010),  # another day, month or year, the others the same
    "two edits": Level("two edits", 0.01, 0.009, 0.020),
    "year": Level("year", 0.95, 0.016, 0.03),
    "other": Level("other", 0.02, 0.987, 0.95),
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
FINGERPRINT: Final = Level(
    "same", 0.35, 0.03, 0.35
)  # thousands have the same telephone, a family the same computer
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
    "middle": Prior(1 / 30),
    "birth": Prior(1 / 29_000, worth=5_000.0),
    "street": Prior(1 / 1_000),
    "locality": Prior(1 / 300),
    "postcode": Prior(1 / 500),
    "home": Prior(1 / 10_000),
    "email": Prior(1 / 50_000),
    "phone": Prior(1 / 50_000),
    "fingerprint": Prior(1 / 500),
    "birth_place": Prior(1 / 100),
    "employer": Prior(1 / 200),
    "occupation": Prior(1 / 100),
}
RAREST: Final = 0.00002  # nothing is taken for rarer: what is met once may be a typing error

LEAST_PEOPLE: Final = 2_000  # of whom at least the population is believed to consist
KNOWN: Final = 1 / 3  # of new records, those of somebody known: believed before any was counted
WORTH_KNOWN: Final = 30.0  # records that this belief is worth
CLEAR: Final = 3.0  # log-odds from which two records of a house count as of one person, or of two
WORTH_AT_HOME: Final = 0.5  # pairs of each kind believed to have been met (Jeffreys' prior)
MOST_AT_HOME: Final = 6.0

UNHEARD: Final = (
    0.02  # how much rarer a spelling is believed to be that was not met yet, and is in no list of names
)

REVIEW: Final = -1.0  # log-odds from which a person is asked; errors come alone, and so the odds are better
CONTRADICTED: Final = 0.0  # log-odds from which a person is asked about two who contradict each other
AUTO: Final = 6.0  # log-odds from which nobody is
