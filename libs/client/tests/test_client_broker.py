"""What the broker side of the client decides by itself; the rest needs a broker (test_client_wire)."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest
from cdp_client import Unreadable
from cdp_client.broker import key_of
from cdp_client.subscription import Versions, flips_in
from cdp_testkit.builders import entered, left, person


def record(value: bytes | None) -> SimpleNamespace:
    return SimpleNamespace(topic="t", partition=1, offset=41, value=value)


def test_the_key_keeps_a_device_together_and_tells_nothing() -> None:
    here = key_of({"anonymousId": "jane@example.com", "userId": "u"}, "key")
    assert here == key_of({"anonymousId": "jane@example.com"}, "key")
    assert (
        len(
            {here, key_of({"userId": "jane@example.com"}, "key"), key_of({"anonymousId": "jane@example.com"}, "k")}
        )
        == 3
    )
    assert len(here) == 32
    assert b"jane" not in here


def test_a_flip_of_the_segment_is_told_once() -> None:
    versions, ada = Versions(), person("ada")
    came = record(entered("vip", ada).model_dump_json().encode())
    went = record(left("vip", ada).model_dump_json().encode())

    flips = [flip for one in (came, came, went, came) for flip in flips_in(one, "vip", None, versions)]

    assert [(flip.profile_id, flip.entered, flip.version) for flip in flips] == [(ada, True, 1), (ada, False, 2)]


@pytest.mark.parametrize(
    ("segment", "tenant", "found"), [("vip", "demo", 1), ("vip", "other", 0), ("other", None, 0)]
)
def test_other_segments_and_tenants_are_not_told(segment: str, tenant: str | None, found: int) -> None:
    one = record(entered("vip", person("ada")).model_dump_json().encode())
    assert len(list(flips_in(one, segment, tenant, Versions()))) == found


def test_a_tombstone_tells_nothing() -> None:
    assert list(flips_in(record(None), "vip", None, Versions())) == []


def test_what_cannot_be_read_is_named_by_its_place() -> None:
    with pytest.raises(Unreadable, match="t, partition 1, offset 41") as failure:
        list(flips_in(record(b'{"tenant": "canary"}'), "vip", None, Versions()))
    assert "canary" not in str(failure.value)


def test_memory_is_bounded_and_who_moved_last_is_remembered() -> None:
    versions = Versions(most=2)
    ada, bob, eve = (entered("vip", UUID(int=n)) for n in range(3))
    assert [versions.is_news(m) for m in (ada, bob, ada, eve, bob, ada)] == [True, True, False, True, False, True]
