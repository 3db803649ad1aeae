"""Which identifiers an event has."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cdp_identity.domain.identifiers import signs_of
from cdp_identity.domain.placeholders import is_placeholder
from hypothesis import given
from hypothesis import strategies as st
from identity_builders import PSEUDONYMS, permitted, ruled

NOBODY = [
    "", " ", "null", "NULL", " Null ", '"null"', "'undefined'", "None", "NaN", "nil", "0", "000", "-", "-1",
    "00000000-0000-0000-0000-000000000000", "anonymous", "Guest", "distinct_id", "distinctId", "id", "email",
    "not_authenticated", "true", "FALSE", "[object Object]", "[Object object]", "undefined", "not-specified",
    "user_null", "{{user.id}}", "${userId}", "<user_id>", "%USER_ID%", "1111111111", "xxxxxxxx",
    "\uff4e\uff55\uff4c\uff4c", "(not set)", "N/A",
]  # fmt: skip
SOMEBODY = ["ada", "1", "7", "11", "2200", "0a", "null-island", "Trueman", "user_1", "219483890", "-12"]


def kinds(**said: object) -> list[str]:
    return [sign.identifier.kind for sign in signs_of(permitted(**said), PSEUDONYMS)]


@pytest.mark.parametrize("value", NOBODY)
def test_what_stands_for_nobody_is_no_identifier(value: str) -> None:
    assert is_placeholder(value)
    assert kinds(user_id=value, anonymous_id="phone") == ["anonymous_id"]
    assert kinds(user_id="ada", anonymous_id=value) == ["user_id"]


@pytest.mark.parametrize("value", SOMEBODY)
def test_what_only_looks_odd_is_somebody(value: str) -> None:
    assert not is_placeholder(value)
    assert kinds(user_id=value) == ["user_id"]


def test_priority_is_user_then_email_then_device() -> None:
    said = {"anonymous_id": "phone", "traits": {"email": "ada@lovelace.org"}, "user_id": "ada"}
    assert kinds(**said) == ["user_id", "email", "anonymous_id"]


def test_an_event_that_names_nobody_is_its_subjects() -> None:
    event = permitted(user_id="null", anonymous_id="undefined")
    (sign,) = signs_of(event, PSEUDONYMS)
    assert sign.identifier == ("subject", event.subject)


def test_pseudonyms_are_those_of_kind_and_value_within_the_tenant() -> None:
    (sign,) = signs_of(permitted(user_id="  ada "), PSEUDONYMS)
    assert sign.identifier.pseudonym == PSEUDONYMS.of("acme", "user_id", "ada")
    (other,) = signs_of(permitted(user_id="ada", tenant="umbrella"), PSEUDONYMS)
    assert other.identifier.pseudonym != sign.identifier.pseudonym


@pytest.mark.parametrize("same", [" Ada@Lovelace.ORG", "ada@lovelace.org", "\uff21\uff24\uff21@lovelace.org"])
def test_an_address_is_hashed_in_one_spelling(same: str) -> None:
    hashed = sha256(b"ada@lovelace.org").hexdigest()
    want = signs_of(permitted(traits={"email": hashed.upper()}), PSEUDONYMS)
    assert want[0].identifier.pseudonym == PSEUDONYMS.of("acme", "email", hashed)
    assert signs_of(permitted(traits={"email": same}), PSEUDONYMS) == want


@pytest.mark.parametrize(
    "email",
    [
        "test@lovelace.org", "TEST@test.com", "noreply@shop.org", "no-reply+1@shop.org", "null@null.com", "ada",
        "ada@", "@lovelace.org", "ada@localhost", "a b@c.org", "", 7, None, True, ["ada@lovelace.org"],
        sha256(b"").hexdigest(), sha256(b"null").hexdigest(), sha256(b"test@test.com").hexdigest(),
    ],
)  # fmt: skip
def test_no_persons_address_is_no_identifier(email: object) -> None:
    assert kinds(anonymous_id="phone", traits={"email": email}) == ["anonymous_id"]


def test_the_address_of_a_group_is_no_persons() -> None:
    said = {"user_id": "ada", "traits": {"email": "office@lovelace.org"}}
    assert kinds(type="group", group_id="g", **said) == ["user_id"]


def test_an_alias_names_the_id_known_before_as_a_device() -> None:
    signs = signs_of(permitted(type="alias", user_id="ada", previous_id="phone"), PSEUDONYMS)
    assert [(sign.identifier.kind, sign.rule) for sign in signs] == [
        ("user_id", "same-event"), ("anonymous_id", "alias"),
    ]  # fmt: skip
    assert kinds(type="track", user_id="ada", previous_id="phone") == ["user_id"]


def test_an_identifier_named_twice_counts_once() -> None:
    assert kinds(type="alias", user_id="ada", anonymous_id="phone", previous_id="phone") == [
        "user_id", "anonymous_id",
    ]  # fmt: skip


TEXT = st.text(st.characters(), max_size=60)  # lone surrogates included


@given(TEXT, TEXT, TEXT | st.just("ada\ud800@lovelace.org"))
def test_any_text_gives_identifiers_without_the_text(user: str, device: str, email: str) -> None:
    event = permitted(user_id=user, anonymous_id=device, traits={"email": email})
    signs = signs_of(event, PSEUDONYMS)
    assert signs
    assert all(len(sign.identifier.pseudonym) == 32 for sign in signs)


PHONES = {
    "+44 20 7946 0958": (None, "+442079460958"), "020 7946 0958": ("GB", "+442079460958"),
    "(0)30 901820": ("DE", "+4930901820"), "\uff0b44 20 7946 0958": (None, "+442079460958"),
}  # fmt: skip


@pytest.mark.parametrize("written", PHONES)
def test_a_phone_number_is_hashed_in_e164_by_the_region_of_its_source(written: str) -> None:
    region, want = PHONES[written]
    rules = ruled(sources={"web": {"region": region}})
    (sign,) = signs_of(permitted(traits={"phone": written}), PSEUDONYMS, rules)
    assert sign.identifier == ("phone", PSEUDONYMS.of("acme", "phone", want))


@pytest.mark.parametrize(
    ("phone", "region"),
    [
        ("020 7946 0958", None), ("00442079460958", "US"), ("+1 111 111 1111", None), ("not-specified", "US"),
        ("+4420794609580000000", None), ("+44 20 7946 0958 ext. 7", None), (442079460958, "GB"), ("1" * 100, "US"),
    ],
)  # fmt: skip
def test_what_is_no_valid_number_is_no_identifier(phone: object, region: str | None) -> None:
    rules = ruled(sources={"web": {"region": region}})
    signs = signs_of(permitted(anonymous_id="phone", traits={"phone": phone}), PSEUDONYMS, rules)
    assert [sign.identifier.kind for sign in signs] == ["anonymous_id"]


def test_devices_and_external_ids_are_kinds_of_their_own() -> None:
    context = {
        "device": {"id": "8F2A-11", "advertisingId": "7a3cbea0-89fa-11eb-8dcd-0242ac130003"},
        "externalIds": [
            {"id": "card-77", "type": "loyalty", "collection": "users", "encoding": "none"},
            {"id": "GA1.2.3", "type": "ga_client_id", "collection": "users", "encoding": "none"},
            {"id": "ada", "type": "user_id", "collection": "users", "encoding": "none"},
            {"id": "acme-inc", "type": "company", "collection": "accounts", "encoding": "none"},
            {"id": "00ff", "type": "braze_id", "collection": "users", "encoding": "base64"},
            {"id": "x", "type": "no spaces allowed"}, {"type": "loyalty"}, "loyalty", None,
        ],
    }  # fmt: skip
    assert kinds(anonymous_id="a", context=context, traits={"crossDomainId": "xd-1"}) == [
        "user_id", "external.loyalty", "cross_domain_id", "anonymous_id", "device_id", "advertising_id", "cookie",
    ]  # fmt: skip


def test_a_devices_id_is_the_same_in_either_case() -> None:
    upper, lower = (permitted(context={"device": {"id": value}}) for value in ("8F2A-11", "8f2a-11"))
    assert signs_of(upper, PSEUDONYMS) == signs_of(lower, PSEUDONYMS)


def test_an_advertising_id_counts_only_while_tracking_is_allowed() -> None:
    device = {"advertisingId": "7a3cbea0-89fa-11eb-8dcd-0242ac130003", "adTrackingEnabled": False}
    assert kinds(user_id="ada", context={"device": device}) == ["user_id"]
    zeroed = {"advertisingId": "00000000-0000-0000-0000-000000000000", "adTrackingEnabled": True}
    assert kinds(user_id="ada", context={"device": zeroed}) == ["user_id"]


@pytest.mark.parametrize("context", [{"device": "phone"}, {"device": {"id": 7}}, {"externalIds": {"id": "x"}}, {}])
def test_a_context_of_another_shape_names_nobody(context: dict[str, object]) -> None:
    assert kinds(user_id="ada", context=context) == ["user_id"]


def test_what_a_tenant_lists_stands_for_nobody_however_it_is_written() -> None:
    rules = ruled(kinds={"user_id": {"blocked": ["Kiosk"]}, "email": {"blocked": ["info@shop.org"]}})
    said = {"user_id": " 'kiosk' ", "anonymous_id": "kiosk", "traits": {"email": "INFO@shop.org"}}
    signs = signs_of(permitted(**said), PSEUDONYMS, rules)
    assert [sign.identifier.kind for sign in signs] == ["anonymous_id"]


def test_an_event_has_at_most_twenty_identifiers_the_strongest_of_them() -> None:
    external = [{"id": f"visitor-{n}", "type": "anonymous_id"} for n in range(10_000)]
    found = kinds(user_id="ada", traits={"email": "ada@lovelace.org"}, context={"externalIds": external})
    assert (len(found), found[:3]) == (20, ["user_id", "email", "anonymous_id"])
