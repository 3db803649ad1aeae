"""Ids that are derived: the same on every redelivery, and those of uuid5."""

from __future__ import annotations

from uuid import uuid5

from cdp_contracts.envelope import NAMESPACE, derived_id


def test_a_derived_id_is_the_uuid5_of_cause_kind_and_number() -> None:
    assert derived_id("demo/m-1", "validated") == uuid5(NAMESPACE, "demo/m-1/validated/0")
    assert derived_id("demo/ü", "changed", 3) == uuid5(NAMESPACE, "demo/ü/changed/3")


def test_causes_kinds_and_numbers_are_told_apart() -> None:
    assert len({derived_id(c, k, n) for c in "ab" for k in "xy" for n in range(3)}) == 12
