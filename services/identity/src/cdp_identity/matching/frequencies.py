"""How often a term is met, by people and not by records, counted as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import log
from typing import TypeAlias

from cdp_identity.matching.names import is_listed
from cdp_identity.matching.places import name_of_street
from cdp_identity.matching.record import MatchRecord
from cdp_identity.matching.weights import (
    CLEAR,
    KNOWN,
    LEAST_PEOPLE,
    MOST_AT_HOME,
    PRIORS,
    RAREST,
    UNHEARD,
    WORTH_AT_HOME,
    WORTH_KNOWN,
)

Term: TypeAlias = tuple[str, str]


def terms_of(record: MatchRecord) -> Iterator[Term]:
    """What is counted of a record: kind and value."""
    name, place = record.name, record.place
    single = (
        ("given", name.first), ("family", name.last), ("middle", name.middle[0] if name.middle else ""),
        ("birth", record.birth), ("home", place.home), ("street", name_of_street(place.street)),
        ("locality", place.locality), ("postcode", place.postcode),
    )  # fmt: skip
    yield from ((kind, value) for kind, value in single if value)
    yield from (("email", email.canonical) for email in record.emails)
    yield from (("phone", phone.number) for phone in record.phones)
    yield from (("fingerprint", fingerprint) for fingerprint in record.fingerprints)
    yield from record.other


@dataclass(slots=True)
class Frequencies:
    """Counts of terms over `people`. What is believed of a kind of term gives way as people are counted.

    `again` are new records that clearly were of somebody who was known, `same` and `others` pairs of one house.
    """

    people: int = 0
    counts: Counter[Term] = field(default_factory=Counter)
    again: int = 0
    same: int = 0
    others: int = 0

    def add(self, terms: Iterable[Term], *, new_person: bool) -> None:
        """Count a record's terms; only those that its person has not been counted with."""
        self.people += new_person
        self.counts.update(terms)

    def share(self, kind: str, value: str) -> float:
        """The probability that a stranger has this value too."""
        prior = PRIORS[kind]
        counted = self.counts[kind, value]
        return max(RAREST, (counted + prior.worth * prior.share) / (self.people + prior.worth))

    def spelled(self, kind: str, value: str) -> float:
        """The probability that a stranger's name is spelled so. Once does not count: it is what is in question."""
        prior = PRIORS[kind]
        share = prior.share if kind == "given" and is_listed(value) else prior.share * UNHEARD
        counted = max(0, self.counts[kind, value] - 1)
        return max(RAREST, (counted + prior.worth * share) / (self.people + prior.worth))

    def meet_at_home(self, personal: float, any_agrees: bool) -> None:
        """Count two records of one house if what is personal says clearly whether one person or two."""
        self.same += personal >= CLEAR
        self.others += personal <= -CLEAR and not any_agrees

    @property
    def one_of_a_house(self) -> float:
        """Log-odds that two records of one house are of one person; 0 before any was met, and never extreme."""
        odds = log((self.same + WORTH_AT_HOME) / (self.others + WORTH_AT_HOME))
        return max(-MOST_AT_HOME, min(MOST_AT_HOME, odds))

    def is_again(self, likeliest: float) -> bool:
        """Whether the likeliest match says clearly, whatever is believed, that somebody is known."""
        return likeliest - self.known >= CLEAR

    @property
    def known(self) -> float:
        """Log-probability that a new record is of somebody who is known already, by how many were `again`."""
        return log((self.again + KNOWN * WORTH_KNOWN) / (self.people + self.again + WORTH_KNOWN))

    @property
    def anybody(self) -> float:
        """Log-odds, before a look, that two records are of one person: of somebody known, and of just this one."""
        return self.known - log(self.population)

    @property
    def population(self) -> int:
        """How many people there are to be confused with."""
        return max(LEAST_PEOPLE, self.people)
