"""Why identifiers are taken for one person, and what would hold them together without a piece of evidence."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence

from cdp_identity.domain.entities import Link


def counting(links: Iterable[Link], members: Collection[str]) -> list[Link]:
    """The links that hold these identifiers together: both ends are among them, and nobody took them back."""
    return [
        link
        for link in links
        if link.first in members and link.other in members and not link.reverted_by and link.rule != "do-not-link"
    ]


def path(links: Sequence[Link], start: str, end: str) -> list[Link] | None:
    """The fewest links that lead from one identifier to another, of equal ones the oldest; None if none do."""
    around = _around(links)
    reached: dict[str, Link | None] = {start: None}
    waiting = deque([start])
    while waiting and end not in reached:
        name = waiting.popleft()
        for link in around[name]:
            other = _across(link, name)
            if other not in reached:
                reached[other] = link
                waiting.append(other)
    if end not in reached:
        return None
    trail: list[Link] = []
    while via := reached[end]:
        trail.append(via)
        end = _across(via, end)
    return trail[::-1]


def side_of(links: Sequence[Link], one: str, other: str) -> set[str]:
    """Whoever is held to `one` by links that are not between these two; with `other` in it, more holds them."""
    around = _around(link for link in links if {link.first, link.other} != {one, other})
    side, waiting = {one}, [one]
    while waiting:
        name = waiting.pop()
        new = {_across(link, name) for link in around[name]} - side
        side |= new
        waiting.extend(new)
    return side


def _around(links: Iterable[Link]) -> dict[str, list[Link]]:
    around: dict[str, list[Link]] = defaultdict(list)
    for link in sorted(links, key=lambda each: (each.seen_at, each.key)):
        around[link.first].append(link)
        around[link.other].append(link)
    return around


def _across(link: Link, name: str) -> str:
    return link.other if name == link.first else link.first
