"""Keyed hashes, and what a new pepper means for those made before."""

from __future__ import annotations

import pytest
from cdp_runtime.pseudonyms import Pseudonymizer

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
