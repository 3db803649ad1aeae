"""What is compared: one record a source told of a person, normalized once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cdp_identity.matching.contacts import Email, Phone, email_of, phone_of
from cdp_identity.matching.dates import birth_of
from cdp_identity.matching.names import NO_NAME, Name, name_of
from cdp_identity.matching.places import NO_PLACE, Place, place_of
from cdp_identity.matching.words import compact, folded

# The names under which sources send a field, without case and punctuation.
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "given": ("given", "givenname", "firstname", "forename", "fname", "namefirst"),
    "middle": ("middle", "middlename", "middleinitial", "middlenames", "secondname", "namemiddle", "mname"),
    "family": ("family", "familyname", "lastname", "surname", "lname", "namelast", "secondsurname"),
    "suffix": ("suffix", "namesuffix", "generation"),
    "full": ("name", "fullname", "displayname", "personname", "fullnameraw"),
    "birth": ("dateofbirth", "dob", "birthdate", "birthday", "born"),
    "birth_year": ("birthyear", "yearofbirth", "by"),
    "birth_month": ("birthmonth", "monthofbirth", "bm"),
    "birth_day": ("dayofbirth", "bd"),
    "national_id": ("nationalid", "ssn", "socsecid", "socialsecuritynumber", "taxid", "passportnumber"),
    "email": ("email", "emailaddress", "emails", "mail"),
    "phone": ("phone", "phonenumber", "phones", "mobile", "mobilephone", "telephone", "cell", "homephone"),
    "line": ("street", "streetaddress", "streetname", "address", "address1", "address2", "addressline1",
             "addressline2", "mailingaddressstreetname", "mailingaddresspobox"),
    "number": ("streetnumber", "housenumber", "mailingaddressstreetnumber"),
    "unit": ("unit", "unitnumber", "apartment", "flat", "mailingaddressunitnumber"),
    "locality": ("locality", "city", "town", "suburb", "mailingaddresscity"),
    "postcode": ("postcode", "postalcode", "zip", "zipcode", "mailingaddresszipcode", "postcodefake"),
    "region": ("region", "state", "county", "province", "mailingaddressstate"),
    "sex": ("sex", "gender"),
    "birth_place": ("birthplace", "placeofbirth"),
    "employer": ("employer", "employername", "company", "organization"),
    "occupation": ("occupation", "jobtitle", "profession"),
}  # fmt: skip
_KIND: Final = {alias: kind for kind, aliases in _FIELDS.items() for alias in aliases}
FINGERPRINT: Final = "fingerprint"  # of the device, by the collector's keyed hash; no trait has this meaning
_OTHER: Final = ("birth_place", "employer", "occupation")
_PUNCTUATION: Final = re.compile(r"[^a-z0-9]")
_LINES: Final = re.compile(r"[,;\n]")
_MISSING: Final = frozenset({"nan", "nat", "<na>"})


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """One person as one source knows it. Two with different `user_ids` are never one person."""

    id: str
    name: Name = NO_NAME
    birth: str = ""
    national_id: str = ""
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    place: Place = NO_PLACE
    sex: str = ""
    other: tuple[tuple[str, str], ...] = ()
    user_ids: frozenset[str] = frozenset()
    fingerprints: tuple[str, ...] = ()


def record_of(
    key: str, fields: Mapping[str, object], *, region: str | None = None, user_ids: Collection[str] = ()
) -> MatchRecord:
    """The record in what a source sent: traits by any usual name, nested addresses, lists. Others are ignored.

    `region` (ISO 3166) is where the source's local phone numbers and dates belong.
    """
    return record_from(key, texts_by_kind(fields), region=region, user_ids=user_ids)


def record_from(
    key: str, told: Mapping[str, Sequence[str]], *, region: str | None = None, user_ids: Collection[str] = ()
) -> MatchRecord:
    """The record in what `texts_by_kind` found."""

    def one(kind: str) -> str:
        return told.get(kind, [""])[0]

    emails = (email_of(text) for text in told.get("email", ()))
    phones = (phone_of(text, region) for text in told.get("phone", ()))
    return MatchRecord(
        id=key,
        name=name_of(one("given"), one("middle"), " ".join(told.get("family", ())), one("suffix"), one("full")),
        birth=birth_of(one("birth"), one("birth_year"), one("birth_month"), one("birth_day"), region),
        national_id=compact(one("national_id")),
        emails=tuple(dict.fromkeys(email for email in emails if email)),
        phones=tuple(dict.fromkeys(phone for phone in phones if phone)),
        place=place_of(
            tuple(part for text in told.get("line", ()) for part in _LINES.split(text)),
            **{kind: one(kind) for kind in ("number", "unit", "locality", "postcode", "region")},
        ),
        sex=folded(one("sex"))[:1],
        other=tuple((kind, value) for kind in _OTHER if (value := folded(one(kind)))),
        user_ids=frozenset(user_ids),
        fingerprints=tuple(told.get(FINGERPRINT, ())),
    )


def texts_by_kind(fields: Mapping[str, object]) -> dict[str, list[str]]:
    """What can be compared in what a source sent, by what it means."""
    told: dict[str, list[str]] = {}
    for kind, text in _flat(fields):
        told.setdefault(kind, []).append(text)
    return told


@lru_cache(maxsize=1 << 12)
def kind_of(name: str) -> str:
    """What a source means by a field of this name; "" if that is nothing to compare."""
    return _KIND.get(_PUNCTUATION.sub("", name.casefold()), "")


def _flat(fields: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        kind = kind_of(name)
        if isinstance(value, Mapping):  # such as Segment's `address`, whose parts have names of their own
            yield from _flat(value)
        elif kind:
            yield from ((kind, text) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str | int | float) or hasattr(value, "isoformat"):
        text = str(value).strip()
        if text and text.casefold() not in _MISSING:
            yield text
    elif isinstance(value, Iterable):
        for item in value:
            yield from _texts(item)
