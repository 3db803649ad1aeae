"""Keyed hashes, and what a new pepper means for those made before."""

from __future__ import annotations

import hmac

import pytest
from cdp_runtime.pseudonyms import MOST_BEGUN, Pseudonymizer
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = b"the pepper of last year", b"the pepper of this year"


def test_a_new_pepper_writes_and_the_old_one_still_resolves() -> None:
    before, after = Pseudonymizer(OLD), Pseudonymizer(NEW, [OLD])
    assert after.of("acme", "email", "x") != before.of("acme", "email", "x")
    assert after.former("acme", "email", "x") == (before.of("acme", "email", "x"),)
    assert after.all_of("acme", "email", "x") == (after.of("acme", "email", "x"), before.of("acme", "email", "x"))
    assert before.former("acme", "email", "x") == ()


def test_the_version_tells_peppers_apart_and_is_that_of_the_one_that_writes() -> None:
    both, old = Pseudonymizer(NEW, [OLD]), Pseudonymizer(OLD)
    assert both.version == Pseudonymizer(NEW).version != old.version
    assert both.versions == (both.version, old.version)


@pytest.mark.parametrize("former", [[], [b"short"]])
def test_every_pepper_is_long_enough(former: list[bytes]) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Pseudonymizer(NEW if former else b"short", former)


@given(st.text(max_size=5), st.text(max_size=5), st.text())
def test_it_is_the_hmac_of_its_parts_each_with_its_length_before_it(tenant: str, kind: str, value: str) -> None:
    message = b"".join(
        len(raw).to_bytes(4, "big") + raw
        for raw in (part.encode("utf-8", "surrogatepass") for part in (tenant, kind, value))
    )
    made = Pseudonymizer(OLD)
    for _ in range(2):  # the second time from what is kept of tenant and kind
        assert made.of(tenant, kind, value) == hmac.digest(OLD, message, "sha256").hex()[:32]


def test_kinds_without_end_are_not_kept_without_end() -> None:
    made = Pseudonymizer(OLD)
    names = [made.of("acme", f"external.{n}", "x") for n in range(2 * MOST_BEGUN)]
    assert len(set(names)) == len(names)
    assert [made.of("acme", f"external.{n}", "x") for n in range(2 * MOST_BEGUN)] == names
    assert len(made._current._begun) <= MOST_BEGUN
