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
_BINS: Final = BANDS * ROWS


def sketch_of(words: Iterable[str]) -> Iterator[str]:
    """The keys of a text given as words without spaces, in any order; none if it is too short."""
    grams = {gram for word in words for gram in _grams(word)}
    if len(grams) < LEAST:
        return
    minima = _minima(grams)
    for band in range(BANDS):
        yield "/".join((str(band), *map(str, minima[band * ROWS : band * ROWS + ROWS])))


@lru_cache(maxsize=1 << 14)
def _grams(word: str) -> tuple[str, ...]:
    whole = f" {word} "
    return tuple(whole[n : n + _LENGTH] for n in range(len(whole) - _LENGTH + 1))


def _minima(grams: Iterable[str]) -> list[int]:
    found: dict[int, int] = {}
    for gram in grams:
        rest, bin_ = _hashed(gram)
        if rest < found.get(bin_, rest + 1):
            found[bin_] = rest
    return [found[next(filter(found.__contains__, lenders))] for lenders in _lenders()]


@lru_cache(maxsize=1)
def _lenders() -> tuple[tuple[int, ...], ...]:
    """For each of the minima, itself, and the others in an order of its own: from whom an empty one borrows."""
    everyone = range(_BINS)
    return tuple((n, *(m for _, m in sorted((_hashed(f"{n}/{m}"), m) for m in everyone))) for n in everyone)


@lru_cache(maxsize=1 << 16)
def _hashed(text: str) -> tuple[int, int]:
    """A number, and which of the minima it may become."""
    return divmod(int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big"), _BINS)
