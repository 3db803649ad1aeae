"""Where records lead: on by redirects, and for single identifiers to where those were parted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
Away = tuple[int, K]
"""The version that began with a parting, and where that leads."""


class RedirectsInACircle(Exception):  # noqa: N818
    """Two records lead to each other: survivors were not chosen by age."""


class Leading(Protocol):
    """A record that may be a redirect, and may have let identifiers go."""

    @property
    def target(self) -> str | None:
        """The record that it became part of."""
        ...

    def away(self, identifier: str) -> Away[str] | None:
        """The record that an identifier was last parted to."""
        ...


R = TypeVar("R", bound=Leading)


def chain_of(records: Mapping[str, R], start: str, identifier: str | None = None) -> Iterator[R]:
    """The records from one to where it leads in the end, for an identifier or as a whole; see `walk`."""

    def away(id_: str) -> Away[str] | None:
        return records[id_].away(identifier) if identifier else None

    return map(records.__getitem__, walk(start, lambda id_: records[id_].target, away))


def walk(start: K, target: Callable[[K], K | None], away: Callable[[K], Away[K] | None]) -> Iterator[K]:
    """Every step of the way, the start and the end included.

    A parting is followed only if it is later than those followed before: what was parted may have come back by a
    merge. RedirectsInACircle if there is no end.
    """
    walked: set[K] = set()
    version, following = 0, start
    while True:
        if following in walked:
            raise RedirectsInACircle
        walked.add(following)
        yield following
        parted, redirected = away(following), target(following)
        if parted and parted[0] > version:
            version, following = parted
            walked = set()
        elif redirected is not None:
            following = redirected
        else:
            return
