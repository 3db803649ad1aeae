"""A person's graph as a small picture: identifiers around a circle, the evidence between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import cos, pi, sin
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring  # nosec B405  # writes, and parses nothing

from cdp_identity.domain.entities import Link
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.store.portrait import Portrait

COLOURS: Final[Mapping[str, str]] = {
    "user_id": "#1b6ca8", "email": "#2e8b57", "phone": "#7a5195", "anonymous_id": "#8a8f98",
    "device_id": "#c8801d", "cookie": "#b0653a",
}  # fmt: skip
OTHER: Final = "#5c6670"
PARTED: Final = "parted"
MOST_DRAWN: Final = 60
SHORT: Final = 8
MARGIN: Final = 260


def svg(portrait: Portrait) -> str:
    """Its picture. Solid: evidence; dashed: taken back by an unmerge. Pseudonyms only, shortened; no scripts."""
    shown = [*portrait.members, *strangers(portrait)][:MOST_DRAWN]
    radius = max(110, 13 * len(shown))
    width, height = 2 * radius + 2 * MARGIN, 2 * radius + 150
    centre = (width / 2, radius + 75)
    root = Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}", "width": str(width),
        "height": str(height), "font-family": "sans-serif", "font-size": "12",
    })  # fmt: skip
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    _text(root, (16, 26), f"profile {portrait.entity.id}", weight="bold")
    more = f", {MOST_DRAWN} shown" if len(portrait.members) > MOST_DRAWN else ""
    _text(root, (16, 44), f"{len(portrait.members)} identifiers{more}, {len(portrait.evidence)} links", fill=OTHER)
    places = _places(shown, centre, radius)
    held = {link.key for link in portrait.evidence}
    for link in portrait.links:
        if link.first in places and link.other in places and (link.key in held or link.reverted_by):
            _line(root, places[link.first], places[link.other], link)
    for identifier in shown:
        _node(root, identifier, places[identifier.pseudonym], centre, portrait)
    return tostring(root, encoding="unicode")


def strangers(portrait: Portrait) -> list[Identifier]:
    """Those who were parted from it, as far as evidence that was taken back tells."""
    ends = (name for link in portrait.links if link.reverted_by for name in (link.first, link.other))
    return [Identifier(PARTED, name) for name in dict.fromkeys(ends) if name not in portrait.names]


def _places(
    shown: Sequence[Identifier], centre: tuple[float, float], radius: float
) -> dict[str, tuple[float, float]]:
    turn = 2 * pi / max(1, len(shown))
    return {
        identifier.pseudonym: (
            centre[0] + radius * sin(turn * number),
            centre[1] - radius * cos(turn * number),
        )
        for number, identifier in enumerate(shown)
    }


def _line(root: Element, start: tuple[float, float], end: tuple[float, float], link: Link) -> None:
    line = SubElement(root, "line", {
        "x1": f"{start[0]:.1f}", "y1": f"{start[1]:.1f}", "x2": f"{end[0]:.1f}", "y2": f"{end[1]:.1f}",
        "stroke": "#c0392b" if link.reverted_by else "#9aa3ad",
        "stroke-width": "2.5" if link.rule in ("alias", "match") else "1.5",
        **({"stroke-dasharray": "5 4"} if link.reverted_by else {}),
    })  # fmt: skip
    taken_back = ", reverted" if link.reverted_by else ""
    SubElement(line, "title").text = f"{link.rule} by {link.source}, {_day(link.seen_at)}{taken_back}"


def _node(
    root: Element, identifier: Identifier, at: tuple[float, float], centre: tuple[float, float], of: Portrait
) -> None:
    mark = of.entity.marks.get(identifier.pseudonym)
    SubElement(root, "circle", {
        "cx": f"{at[0]:.1f}", "cy": f"{at[1]:.1f}", "r": "9",
        "fill": "#ffffff" if identifier.kind == PARTED else COLOURS.get(identifier.kind, OTHER),
        **({"stroke": "#c0392b", "stroke-width": "3"} if mark or identifier.kind == PARTED else {}),
    })  # fmt: skip
    right = at[0] >= centre[0] - 1
    said = f"{identifier.kind} {identifier.pseudonym[:SHORT]}" + (f" ({mark.state})" if mark else "")
    anchor = "start" if right else "end"
    _text(root, (at[0] + (15 if right else -15), at[1] + 4), said, anchor=anchor)


def _text(
    root: Element, at: tuple[float, float], said: str, *, fill: str = "#22272e", anchor: str = "start",
    weight: str = "normal",
) -> None:  # fmt: skip
    SubElement(root, "text", {
        "x": f"{at[0]:.1f}", "y": f"{at[1]:.1f}", "fill": fill, "text-anchor": anchor, "font-weight": weight,
    }).text = said  # fmt: skip


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")
