"""Postal addresses as words: no country's rules, no data to download."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cdp_identity.matching.words import compact, folded

_TYPES: Final = {
    "street": "st", "str": "st", "road": "rd", "avenue": "ave", "av": "ave", "drive": "dr", "court": "ct",
    "place": "pl", "crescent": "cres", "crs": "cres", "boulevard": "blvd", "lane": "ln", "close": "cl",
    "terrace": "tce", "ter": "tce", "highway": "hwy", "circuit": "cct", "circle": "cir", "parade": "pde",
    "square": "sq", "parkway": "pkwy", "north": "n", "south": "s", "east": "e", "west": "w",
    "apartment": "unit", "apt": "unit", "flat": "unit", "suite": "unit", "ste": "unit", "strasse": "st",
}  # fmt: skip
_NUMBER: Final = re.compile(r"\d+[a-z]?")
_ZIP: Final = re.compile(r"\s*(\d{4,5})(?:-\d{4}|\.0)?\s*")  # the rest of a ZIP+4 says which side of the street
_GERMAN: Final = re.compile(r"(?<=\w{3})(strasse|str)\b")


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody lives. `lines` are the street and what else was said about the house, without numbers."""

    number: str = ""
    unit: str = ""
    lines: tuple[str, ...] = ()
    locality: str = ""
    postcode: str = ""
    region: str = ""

    @property
    def street(self) -> str:
        """The first line; "" if unknown."""
        return self.lines[0] if self.lines else ""

    @property
    def home(self) -> str:
        """The house as one term, to be counted; "" without a street or a number."""
        if not (self.number and self.lines):
            return ""
        return "|".join((self.number, self.unit, self.street.replace(" ", ""), self.postcode or self.locality))


NO_PLACE: Final = Place()


def place_of(
    lines: tuple[str, ...] = (),
    *,
    number: str = "",
    unit: str = "",
    locality: str = "",
    postcode: str = "",
    region: str = "",
) -> Place:
    """The address in its parts; a number that stands in a line is taken out of it."""
    house, flat, kept = compact(number), compact(unit), []
    for text in lines:
        words = [_TYPES.get(word, word) for word in _GERMAN.sub(" st", folded(text)).split()]
        while "unit" in words[:-1]:
            at = words.index("unit")
            flat = flat or words[at + 1]
            del words[at : at + 2]
        if not house and (spot := _number_in(words)) is not None:
            house = words.pop(spot)
        if words:
            kept.append(" ".join(words))
    if locality.strip().isdigit() and not any(letter.isdigit() for letter in postcode):
        locality, postcode = postcode, locality  # each in the other's field
    area = match[1] if (match := _ZIP.fullmatch(postcode)) else postcode
    return Place(house, flat, tuple(kept), folded(locality), compact(area), folded(region))


def _number_in(words: list[str]) -> int | None:
    for spot in (0, len(words) - 1):  # at the front or, as on the Continent, at the end
        if len(words) > 1 and _NUMBER.fullmatch(words[spot]):
            return spot
    return None


@lru_cache(maxsize=1 << 16)
def name_of_street(line: str) -> str:
    """A line without spaces and without what kind of street it is: what people spell alike."""
    words = line.split()
    kinds = set(_TYPES.values())
    return "".join(word for word in words if word not in kinds) or "".join(words)
