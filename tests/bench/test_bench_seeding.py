"""The history of the seeding benchmark can be read, and says of everybody what the benchmark expects."""

from __future__ import annotations

from collections import Counter

from cdp_contracts.conditions_v1 import PropertyFilter
from cdp_contracts.topics import PROFILES_UPDATED
from cdp_runtime.codec import decode

from tests.bench.seeding import CREATED, EDITED, Crowd

PEOPLE = 500
EVENTS = 10_000


def test_a_crowd_does_what_is_counted_of_it() -> None:
    crowd = Crowd(PEOPLE)
    viewed: Counter[str] = Counter()
    of_three: Counter[str] = Counter()
    ids = set()
    for _ in range(EVENTS):
        record = crowd.does()
        update = decode(PROFILES_UPDATED, record.value or b"")
        assert record.key == str(update.profile_id).encode()
        ids.add(update.id)
        if update.event is not None and update.event.name == CREATED.event:
            viewed[str(update.profile_id)] += 1
            of_three[str(update.profile_id)] += asks_for(update.event.properties["category"])
    assert len(ids) == EVENTS
    assert {who for who, times in viewed.items() if times >= CREATED.n} == crowd.viewers()
    assert {who for who, times in of_three.items() if times >= EDITED.n} == crowd.fans()


def asks_for(category: object) -> bool:
    (only,) = EDITED.where
    assert isinstance(only, PropertyFilter)
    return category == only.value
