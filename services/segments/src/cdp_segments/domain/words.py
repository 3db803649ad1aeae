"""The values behind hashed marks, so that the most frequent one can be named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from cdp_runtime.records import State
from pydantic import JsonValue

from cdp_segments.domain.marks import Ring

Word: TypeAlias = str | int | float  # a boolean is an int
Words: TypeAlias = dict[str, dict[float, Word]]  # by selector, then by the number that stands for it in a mark

MOST_CHARACTERS: Final = 200
LARGEST: Final = 1e15


def word_of(value: JsonValue) -> Word | None:
    """The value in its one spelling (1.0 is 1); None for what is passed over."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if len(value) <= MOST_CHARACTERS else None
    if isinstance(value, int | float) and abs(value) <= LARGEST:
        return int(value) if float(value).is_integer() else value
    return None


def most_frequent(ring: Ring, words: Mapping[float, Word]) -> Word | None:
    """Of those that are equally frequent the one that came latest, of those of one instant the smallest."""
    seen: dict[float, tuple[int, int]] = {}
    for mark in ring:
        if len(mark) == 3 and mark[2] in words:
            seen[mark[2]] = seen.get(mark[2], (0, 0))[0] + 1, mark[0]
    if not seen:
        return None
    best = max(seen.values())
    return min((words[number] for number, found in seen.items() if found == best), key=in_order)


def in_order(word: Word) -> tuple[int, float, str]:
    """Numbers before texts before booleans."""
    if isinstance(word, bool):
        return 2, word, ""
    return (1, 0, word) if isinstance(word, str) else (0, word, "")


def words_state(words: Words, rings: Mapping[str, Ring]) -> State:
    """Those that a mark still stands for, if there are any."""
    state = []
    for selector, known in sorted(words.items()):
        used = {mark[2] for mark in rings.get(selector, ()) if len(mark) == 3}
        state += [[selector, number, known[number]] for number in sorted(used & known.keys())]
    return {"words": state} if state else {}


def parse_words(state: Iterable[tuple[str, float, Word]]) -> Words:
    """The inverse."""
    words: Words = defaultdict(dict)
    for selector, number, word in state:
        words[selector][number] = word
    return dict(words)
