"""The sender's pure decisions: what an answer means, how long a rest is, what a secret is."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from cdp_contracts.definitions_v1 import DestinationDefined
from cdp_segments.sender.deciding import (
    LONGEST_REST,
    Again,
    Answer,
    Delivered,
    Refused,
    deliveries,
    judge,
    seconds_of,
)
from cdp_segments.sender.signing import NoSecret, parse, signed
from hypothesis import given
from hypothesis import strategies as st
from sender_world import flip
from standardwebhooks import Webhook

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@given(st.integers(100, 599))
def test_every_status_is_taken_tried_again_or_refused(status: int) -> None:
    match judge(Answer(status), NOW):
        case Delivered():
            assert 200 <= status < 300
        case Again(reason):
            assert status in {408, 425, 429} or status >= 500
            assert reason == f"http-{status}"
        case Refused(reason):
            assert status < 200 or 300 <= status < 500
            assert reason == f"http-{status}"


@given(st.text(max_size=40))
def test_no_text_makes_a_rest_longer_than_an_hour(text: str) -> None:
    assert 0 <= seconds_of(text, NOW) <= LONGEST_REST


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), (" 5 ", 5), ("999999999999", LONGEST_REST), ("-1", 0), ("soon", 0), ("", 0), ("٣", 0)],
)
def test_seconds_to_rest(text: str, seconds: float) -> None:
    assert seconds_of(text, NOW) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(90, 90), (-90, 0), (100_000, LONGEST_REST)])
def test_a_date_to_rest_until(ahead: int, seconds: float) -> None:
    assert seconds_of(format_datetime(NOW + timedelta(seconds=ahead), usegmt=True), NOW) == seconds


@given(st.binary(min_size=24, max_size=64), st.text(min_size=1, max_size=60))
def test_a_signature_is_what_the_reference_library_says(secret: bytes, text: str) -> None:
    written = "whsec_" + b64encode(secret).decode()
    headers = signed("id-1", text.encode(), parse(written), NOW)
    assert headers["webhook-signature"] == Webhook(written).sign("id-1", NOW, text)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_!!!", "c2VjcmV0", "whsec_" + b64encode(b"short").decode(),
             "whsec_" + b64encode(b"x" * 65).decode(), "whsec_" + b64encode(b"x" * 32).decode() + "\nother"],
)  # fmt: skip
def test_what_is_no_secret_signs_nothing_and_is_not_shown(text: str) -> None:
    with pytest.raises(NoSecret) as error:
        parse(text)
    assert str(error.value) == ""


def test_the_same_flip_has_the_same_id_at_a_destination_and_no_other() -> None:
    def ids(*names: str) -> list[str]:
        wanted = [
            DestinationDefined(
                tenant="demo", name=name, url="https://a.example/", segments=("s", "t"), secret="x", owner="o"
            )
            for name in names
        ]
        return [str(each.id) for each in deliveries(flip("ann", 1, "s", "t", at=NOW), wanted)]

    assert ids("a", "b") == ids("a") + ids("b")
    assert len(set(ids("a", "b"))) == 4
