"""MinHash of free text: keys of which two texts share one the likelier, the more trigrams they have in common.

One permutation and densification: every trigram is hashed once, and its hash says which of the minima it may
become (Li, Owen and Zhang 2012, "One Permutation Hashing"); an empty one is lent another one's (Shrivastava 2017,
"Optimal Densification for Fast and Accurate Minwise Hashing").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Final

BANDS: Final = 8
ROWS: Final = 3  # with 8 bands: half of the pairs that share .43 of their trigrams, .93 at .66, .01 at .1
LEAST: Final = 8  # trigrams below which a text says too little
_LENGTH: Final = 3


def sketch_of(words: Iterable[str]) -> Iterator[str]:
    """The keys of a text given as words without spaces, in any order; none if it is too short."""
    grams = {gram for word in words for gram in _grams(word)}
    if len(grams) < LEAST:
        return
    minima = _minima(grams, BANDS * ROWS)
    for band in range(BANDS):
        yield "/".join(f"{n:x}" for n in (band, *minima[band * ROWS : band * ROWS + ROWS]))


def _grams(word: str) -> Iterator[str]:
    whole = f" {word} "
    return (whole[n : n + _LENGTH] for n in range(len(whole) - _LENGTH + 1))


def _minima(grams: Iterable[str], bins: int) -> list[int]:
    found: dict[int, int] = {}
    for gram in grams:
        rest, bin_ = divmod(_hash(gram), bins)
        found[bin_] = min(rest, found.get(bin_, rest))
    return [found[_lender(found.keys(), n, bins)] for n in range(bins)]


def _lender(full: Iterable[int], bin_: int, bins: int) -> int:
    lender, attempt = bin_, 0
    while lender not in full:
        attempt += 1
        lender = _hash(f"{bin_}/{attempt}") % bins
    return lender


@lru_cache(maxsize=1 << 16)
def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big")
