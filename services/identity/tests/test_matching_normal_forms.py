"""Values are compared in one form: names, addresses, numbers, dates."""

from __future__ import annotations

import pytest
from cdp_identity.matching import record_of
from cdp_identity.matching.contacts import email_of, phone_of
from cdp_identity.matching.dates import birth_of, same_but_swapped
from cdp_identity.matching.names import Name, are_nicknames, name_of
from cdp_identity.matching.places import place_of
from cdp_identity.matching.words import folded


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("  O'Brien-Smith ", "obrien smith"),
        ("ZOË", "zoe"),
        ("Владимир", "vladimir"),
        ("\uff21\uff44\uff41", "ada"),
        ("n/a", ""),
        ("null", ""),
        ("00000", ""),
    ],
)
def test_text_is_folded(text: str, form: str) -> None:
    assert folded(text) == form


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"full": "Dr. Ada Lovelace"}, Name(("ada",), (), ("lovelace",))),
        ({"full": "Lovelace, Ada King"}, Name(("ada",), ("king",), ("lovelace",))),
        ({"full": "Vincent van Gogh"}, Name(("vincent",), (), ("van", "gogh"))),
        ({"full": "Martin King Jr."}, Name(("martin",), (), ("king",), "jr")),
        ({"given": "Anne Marie", "family": "Dupont"}, Name(("anne",), ("marie",), ("dupont",))),
        ({"given": "Bob", "family": "Smith III"}, Name(("bob",), (), ("smith",), "3")),
        ({"full": "Cher"}, Name((), (), ("cher",))),
    ],
)
def test_names_are_taken_apart(told: dict[str, str], name: Name) -> None:
    assert name_of(**told) == name


@pytest.mark.parametrize(
    ("one", "other", "same"), [("bill", "william", True), ("elizabeth", "liz", True), ("ann", "ben", False)]
)
def test_nicknames_stand_for_a_name(one: str, other: str, same: bool) -> None:
    assert are_nicknames(one, other) is same


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Ada.Lovelace+shop@GoogleMail.com", "adalovelace@gmail.com"),
        ("ada+shop@outlook.com", "ada@outlook.com"),
        ("ada+shop@lovelace.org", "ada+shop@lovelace.org"),
        ("ada.l@lovelace.org", "ada.l@lovelace.org"),
        ("ada@bücher.example.org", "ada@xn--bcher-kva.example.org"),
    ],
)
def test_addresses_are_what_their_provider_delivers_to(text: str, canonical: str) -> None:
    email = email_of(text)
    assert email is not None
    assert email.canonical == canonical


@pytest.mark.parametrize("text", ["", "ada", "ada@", "@x.org", "ada@localhost", "info@x.org", "test@example.com"])
def test_what_is_nobodys_address_is_none(text: str) -> None:
    assert email_of(text) is None


@pytest.mark.parametrize(
    ("text", "region", "number", "verified"),
    [
        ("020 7946 0958", "GB", "+442079460958", True),
        ("+44 20 7946 0958", None, "+442079460958", True),
        ("00442079460958", "US", "+442079460958", True),
        ("020 7946 0958", None, "2079460958", False),
        ("12345678", "GB", "12345678", False),
    ],
)
def test_a_number_is_verified_only_if_it_is_valid_where_it_belongs(
    text: str, region: str | None, number: str, verified: bool
) -> None:
    phone = phone_of(text, region)
    assert phone is not None
    assert (phone.number, phone.verified) == (number, verified)


@pytest.mark.parametrize("text", ["", "12345", "0000000000", "1111111111", "121212121"])
def test_a_number_that_is_nobodys_is_none(text: str) -> None:
    assert phone_of(text, "US") is None


@pytest.mark.parametrize(
    ("text", "region", "birth"),
    [
        ("1990-02-01", None, "19900201"),
        ("1990-02-01T00:00:00Z", None, "19900201"),
        ("01/02/1990", "GB", "19900201"),
        ("02/01/1990", "US", "19900201"),
        ("13/02/1990", "US", "19900213"),
        ("19900201", None, "19900201"),
        ("19901399", None, "19901399"),
        ("1990", None, "19900000"),
        ("1970-01-01", None, ""),
        ("soon", None, ""),
    ],
)
def test_dates_are_eight_digits(text: str, region: str | None, birth: str) -> None:
    assert birth_of(text, region=region) == birth


def test_a_date_may_come_in_parts() -> None:
    assert birth_of(year="1990", month="2", day="1") == "19900201"
    assert birth_of(year="1990") == "19900000"
    assert record_of("r1", {"birth_year": 1990, "birth_month": 2, "birth_day": 1}).birth == "19900201"
    assert same_but_swapped("19900201", "19900102")


def test_addresses_are_words_a_number_and_a_code() -> None:
    place = place_of(("12a Elm Street Apt 4",), postcode="90210-1234")
    assert (place.number, place.unit, place.street, place.postcode) == ("12a", "4", "elm st", "90210")
    swapped = place_of(locality="6101", postcode="St Ives")
    assert (swapped.locality, swapped.postcode) == ("st ives", "6101")
    continental = place_of(("Hauptstraße 7",), locality="Köln")
    assert (continental.number, continental.street, continental.locality) == ("7", "haupt st", "koln")


def test_a_record_takes_traits_by_any_usual_name() -> None:
    record = record_of(
        "r1",
        {
            "firstName": "Ada", "LAST_NAME": "Lovelace", "birthday": "1815-12-10", "E-Mail": "ada@lovelace.org",
            "address": {"street": "12 St James's Square", "postalCode": "SW1Y 4JH", "city": "London"},
            "phones": ["020 7946 0958", "n/a"], "loyalty": 7, "company": float("nan"),
        },
        region="GB",
    )  # fmt: skip
    assert (record.name.first, record.name.last, record.birth) == ("ada", "lovelace", "18151210")
    assert (record.place.number, record.place.postcode, record.place.locality) == ("12", "sw1y4jh", "london")
    assert [email.address for email in record.emails] == ["ada@lovelace.org"]
    assert [phone.number for phone in record.phones] == ["+442079460958"]
    assert record.other == ()
