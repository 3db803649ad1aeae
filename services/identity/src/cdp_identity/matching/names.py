"""Names of persons: parsing, nicknames, sound."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import jellyfish
from nicknames import NickNamer

from cdp_identity.matching.words import folded

_TITLES: Final = frozenset({
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "dame", "lady", "lord", "rev", "fr", "herr", "frau",
    "mme", "mlle", "sr", "sra", "don", "dona",
})  # fmt: skip
_SUFFIXES: Final = {
    "jr": "jr", "jnr": "jr", "junior": "jr", "sr": "sr", "snr": "sr", "senior": "sr",
    "ii": "2", "2nd": "2", "iii": "3", "3rd": "3", "iv": "4", "4th": "4",
}  # fmt: skip
_PARTICLES: Final = frozenset({
    "de", "del", "della", "den", "der", "di", "do", "dos", "da", "du", "la", "le", "van", "von", "ter", "ten",
    "al", "el", "bin", "ibn", "abu", "mc", "mac", "o",
})  # fmt: skip
_COMMA: Final = re.compile(r"\s*,\s*")


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name in folded words. `suffix` is one of jr, sr, 2, 3, 4 or empty."""

    given: tuple[str, ...] = ()
    middle: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    suffix: str = ""

    @property
    def first(self) -> str:
        """The first given name, or an initial; "" if unknown."""
        return self.given[0] if self.given else ""

    @property
    def last(self) -> str:
        """The family name as one word."""
        return "".join(self.family)


NO_NAME: Final = Name()


def name_of(given: str = "", middle: str = "", family: str = "", suffix: str = "", full: str = "") -> Name:
    """The name in what a source sent; `full` ("Given Middle Family" or "Family, Given") fills what is missing."""
    if full and not (given and family):
        given_part, family_part = split_full(full)
        given, family = given or given_part, family or family_part
    given_words, family_words, middle_words = _words(given), _words(family), _words(middle)
    marks = [
        _SUFFIXES[w] for w in (*folded(suffix).split(), *family_words[1:], *given_words[1:]) if w in _SUFFIXES
    ]
    family_words = tuple(w for n, w in enumerate(family_words) if n == 0 or w not in _SUFFIXES)
    given_words = tuple(w for n, w in enumerate(given_words) if n == 0 or w not in _SUFFIXES)
    if len(given_words) > 1 and not middle_words:
        given_words, middle_words = given_words[:1], given_words[1:]
    return Name(given_words, middle_words, family_words, marks[0] if marks else "")


def split_full(full: str) -> tuple[str, str]:
    """Given and family part of a full name. Particles (van, de la) belong to the family name."""
    parts = [part for part in _COMMA.split(full.strip()) if part]
    if len(parts) == 2 and folded(parts[1]) not in _SUFFIXES:
        return parts[1], parts[0]
    words = [word for word in re.split(r"\s+", " ".join(parts)) if folded(word) and folded(word) not in _TITLES]
    tail: list[str] = []
    while len(words) > 1 and folded(words[-1]) in _SUFFIXES:
        tail.insert(0, words.pop())
    at = len(words) - 1
    while at > 1 and folded(words[at - 1]) in _PARTICLES:
        at -= 1
    return " ".join(words[: max(at, 0)]), " ".join([*words[max(at, 0) :], *tail])


def _words(text: str) -> tuple[str, ...]:
    words = folded(text).split()
    while len(words) > 1 and words[0] in _TITLES:
        words = words[1:]
    return tuple(words)


@lru_cache(maxsize=1)
def _namer() -> NickNamer:
    return NickNamer()


@lru_cache(maxsize=1 << 16)
def called(given: str) -> frozenset[str]:
    """The formal names that a given name may stand for, and itself."""
    return frozenset({given, *_namer().canonicals_of(given)})


@lru_cache(maxsize=1 << 16)
def are_nicknames(one: str, other: str) -> bool:
    """Whether one is a short or pet form of the other."""
    return one in called(other) or other in called(one)


@lru_cache(maxsize=1 << 16)
def is_listed(given: str) -> bool:
    """Whether it is known as somebody's given name: it has short forms, or is one."""
    namer = _namer()
    return bool(namer.nicknames_of(given) or namer.canonicals_of(given))


@lru_cache(maxsize=1 << 16)
def sound(word: str) -> str:
    """A phonetic code; what sounds alike in most European languages has the same. Never empty for a word."""
    return jellyfish.nysiis(word)[:6] or word
