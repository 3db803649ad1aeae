"""Which records are worth comparing: those that share a composite key. Each key forgives other errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdp_identity.matching.names import sound
from cdp_identity.matching.places import name_of_street
from cdp_identity.matching.record import MatchRecord
from cdp_identity.matching.sketch import sketch_of

CAP: Final = 150  # members of a key; one that has more says nothing and is dropped
_PREFIX: Final = 4


def keys_of(record: MatchRecord) -> Iterator[str]:
    """The blocking keys of a record: kind, then values. A record without any cannot be found."""
    yield from _codes(record)
    yield from _names(record)
    yield from _places(record)
    yield from (f"device:{fingerprint}" for fingerprint in record.fingerprints)


def _codes(record: MatchRecord) -> Iterator[str]:
    if record.national_id:
        yield f"id:{record.national_id}"
        half = (len(record.national_id) + 1) // 2
        if half >= _PREFIX:  # one digit may be wrong
            yield from (
                f"half:{part}" for part in (record.national_id[:half] + "+", "+" + record.national_id[-half:])
            )
    for email in record.emails:
        yield f"email:{email.canonical}"
        if len(email.local) > _PREFIX:
            yield f"local:{email.local}"
    for phone in record.phones:
        yield f"phone:{phone.number[-8:]}"  # the same with and without a country
    birth = record.birth
    if birth and birth[4:] != "0000":
        yield f"birth:{birth}"


def _names(record: MatchRecord) -> Iterator[str]:
    name, birth = record.name, record.birth
    given, family = sound(name.first) if len(name.first) > 1 else "", sound(name.last) if name.last else ""
    if given and family:
        yield "names:" + "/".join(sorted((given, family)))
        for word in name.family[1:] if len(name.family) > 1 else ():  # a double name may be cut to either half
            yield "names:" + "/".join(sorted((given, sound(word))))
        if len(name.family) > 1:
            yield "names:" + "/".join(sorted((given, sound(name.family[0]))))
    for word in filter(None, (given, family)):
        if birth[:4].strip("0"):
            yield f"year:{word}/{birth[:4]}"
        if birth[4:].strip("0"):
            yield f"day:{word}/{birth[4:]}"
        if record.place.postcode:
            yield f"area:{word}/{record.place.postcode}"
        if record.place.locality:
            yield f"town:{word}/{sound(record.place.locality.replace(' ', ''))}"


def _places(record: MatchRecord) -> Iterator[str]:
    place = record.place
    # Without the town: where all live in one, what they have in common would be found everywhere.
    yield from (f"near:{key}" for key in sketch_of(map(name_of_street, place.lines)))
    for line in place.lines:
        street = name_of_street(line)[:_PREFIX]
        if place.number:
            yield f"home:{place.number}/{street}"
        if record.name.first:
            yield f"street:{record.name.first[0]}/{name_of_street(line)}"
        if place.postcode:
            yield f"road:{street}/{place.postcode}"
