"""What a browser's cookie says can be said by the edge alone, and for one source alone."""

from __future__ import annotations

import re

import pytest
from cdp_collector.domain.tokens import Signer, Token
from hypothesis import example, given
from hypothesis import strategies as st

KEY, NEXT = b"a key that signs for the tests ...", b"the key that comes after that one."
SIGNER = Signer([KEY])
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
SECONDS = st.integers(0, 10**12 - 1)
TOKENS = st.builds(Token, HEX, SECONDS, HEX, SECONDS, SECONDS)
TOKEN = Token("a" * 32, 1, "b" * 32, 2, 3)


@given(TOKENS)
def test_what_was_signed_is_read(token: Token) -> None:
    signed = SIGNER.sign(token, "demo", "web")
    assert SIGNER.read(signed, "demo", "web") == token
    assert re.fullmatch(r"[0-9a-f.]{1,200}", signed), "nothing that a header or a log could trip over"


@given(TOKENS, st.data())
def test_a_token_with_any_character_changed_is_none(token: Token, data: st.DataObject) -> None:
    signed = SIGNER.sign(token, "demo", "web")
    place = data.draw(st.integers(0, len(signed) - 1))
    other = data.draw(st.characters(max_codepoint=0x17F).filter(lambda c: c != signed[place]))
    assert SIGNER.read(signed[:place] + other + signed[place + 1 :], "demo", "web") is None


@given(TOKENS, TOKENS)
def test_a_signature_does_not_fit_another_token(one: Token, other: Token) -> None:
    mac = SIGNER.sign(one, "demo", "web").rpartition(".")[2]
    forged = SIGNER.sign(other, "demo", "web").rpartition(".")[0] + "." + mac
    assert SIGNER.read(forged, "demo", "web") == (other if one == other else None)


@given(st.text(max_size=300))
@example("")
@example("." * 6)
@example(SIGNER.sign(TOKEN, "demo", "web") + "\n")
def test_whatever_is_no_token_is_none(given_text: str) -> None:
    assert SIGNER.read(given_text, "demo", "web") is None


@pytest.mark.parametrize(
    ("tenant", "source"), [("other", "web"), ("demo", "app"), ("dem", "oweb"), ("", "demo/web"), ("demo/web", "")]
)
def test_a_token_is_of_one_tenant_and_source(tenant: str, source: str) -> None:
    assert SIGNER.read(SIGNER.sign(TOKEN, "demo", "web"), tenant, source) is None


def test_keys_are_changed_in_two_steps_and_nobody_is_forgotten() -> None:
    old, learning, new, late = Signer([KEY]), Signer([KEY, NEXT]), Signer([NEXT, KEY]), Signer([NEXT])
    by_old, by_new = old.sign(TOKEN, "demo", "web"), new.sign(TOKEN, "demo", "web")
    assert by_old != by_new
    assert learning.sign(TOKEN, "demo", "web") == by_old
    for signer in (learning, new):
        assert {signer.read(each, "demo", "web") for each in (by_old, by_new)} == {TOKEN}
    assert old.read(by_new, "demo", "web") is None
    assert late.read(by_old, "demo", "web") is None


def test_a_token_under_the_name_of_another_key_is_none() -> None:
    signer = Signer([NEXT, KEY])
    (old, _, rest), (new, *_) = (s.sign(TOKEN, "demo", "web").partition(".") for s in (SIGNER, signer))
    assert signer.read(f"{old}.{rest}", "demo", "web") == TOKEN
    assert signer.read(f"{new}.{rest}", "demo", "web") is None


def test_a_key_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Signer([b"short"])
