"""Ids come from causes: the same cause has the same effects, however often and wherever it is met. ADR 0004."""

from __future__ import annotations

from uuid import UUID

from cdp_contracts.envelope import derived_id
from hypothesis import given
from hypothesis import strategies as st

HOPS = ("validated", "permitted", "resolved", "profile-updated", "membership")


def ids_along_the_way(tenant: str, message_id: str) -> list[UUID]:
    """The ids of an event and of what follows from it, each from the one before."""
    found = [derived_id(f"{tenant}/{message_id}", HOPS[0])]
    for hop in HOPS[1:]:
        found.append(derived_id(found[-1], hop))
    return found


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_copy_has_the_same_ids_at_every_hop(tenant: str, message_id: str) -> None:
    assert ids_along_the_way(tenant, message_id) == ids_along_the_way(tenant, message_id)


@given(st.tuples(st.sampled_from("abc"), st.text()), st.tuples(st.sampled_from("abc"), st.text()))
def test_another_event_or_another_tenants_event_shares_none(
    first: tuple[str, str], other: tuple[str, str]
) -> None:
    shared = set(ids_along_the_way(*first)) & set(ids_along_the_way(*other))
    assert bool(shared) == (first == other)


def test_kind_and_number_tell_the_effects_of_one_cause_apart() -> None:
    cause = UUID(int=7)
    ids = {derived_id(cause, kind, n) for kind in ("membership", "resolved") for n in range(3)}
    assert len(ids) == 6


def test_the_recipe_is_fixed_for_ever() -> None:
    """A change would give every message in flight another id: effects would happen twice."""
    assert [str(found) for found in ids_along_the_way("demo", "ajs-5f1c-0001")] == [
        "e5741130-59bb-5cd2-a0ee-f5e14fc462af",
        "3e99a786-e230-57dc-b5f5-f87c0661dd14",
        "4f85767f-99f0-502c-8a22-111a908fdc42",
        "d51438d2-6d34-547c-b02b-fa1731cc99df",
        "043c5779-7ae1-5361-be24-a36945c94d81",
    ]
