"""Where an event's person is, as far as a policy tells places apart."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

DEFAULT: Final = "default"
STRICTEST: Final = "strictest"

EU_MEMBERS: Final = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
    " AX GF GP MF MQ RE YT"  # their territories under EU law with codes of their own
)
EEA_ONLY: Final = "IS LI NO"
EU_ALIKE: Final = "CH GB"  # laws of their own that ask the same
COUNTRIES: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""  # ISO 3166-1 alpha-2; whatever is not here, such as XX or ZZ, is nowhere
UNIONS: Final = {"EU": ("EU", "EEA"), "EEA": ("EEA", "EU")}
HOLDERS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(COUNTRIES.split(), ()),
    **dict.fromkeys(EU_MEMBERS.split(), ("EU", "EEA")),
    **dict.fromkeys(EEA_ONLY.split(), ("EEA", "EU")),
    **dict.fromkeys(EU_ALIKE.split(), ("EU",)),
}
CODE: Final = re.compile(r"([A-Z]{2})(-[A-Z0-9]{1,3})?")


def places_of(code: str | None) -> tuple[str, ...]:
    """The place a code names and those that hold it, nearest first; empty if it names no place.

    Codes are ISO 3166 (`DE`, `US-CA`), `EU` or `EEA`, in any case, with `-` or `_`; `UK` is `GB`.
    `US-CA` lies in `US`; members of the EU and the EEA, Switzerland and Britain lie in `EU`.
    """
    bare = (code or "").strip().upper().replace("_", "-")
    if bare in UNIONS:
        return UNIONS[bare]
    match = CODE.fullmatch(bare)
    if match is None:
        return ()
    country = "GB" if match[1] == "UK" else match[1]
    if country not in HOLDERS:
        return ()
    subdivision = (country + match[2],) if match[2] else ()
    return (*subdivision, country, *HOLDERS[country])


def place_among(code: str | None, listed: Collection[str]) -> str:
    """Which of a policy's places a code falls under: the nearest listed one, else `default`, else `strictest`.

    `strictest` too when the code names no place, or one that is too wide to tell: `US` where only `US-CA`
    is listed may well be California.
    """
    places = places_of(code)
    for place in places:
        if place in listed:
            return place
    if not places or any(places[0] in places_of(place) for place in listed):
        return STRICTEST
    return DEFAULT if DEFAULT in listed else STRICTEST
