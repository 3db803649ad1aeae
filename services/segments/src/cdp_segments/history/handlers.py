"""How flips are kept once they were told: read this page first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cdp_contracts.segments_v1 import MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_runtime.batch import Batch, Origin
from cdp_runtime.stage import Stage

from cdp_segments.domain.activity import activity_id
from cdp_segments.domain.history import Flip, History
from cdp_segments.domain.person import person_id
from cdp_segments.history.store import HistoryStore

REST_SECONDS: Final = 0.2


class Counted(NamedTuple):
    """A flip, the record that counts it, and where its message stands."""

    record: str
    flip: Flip
    offset: int


async def keep_flips(batch: Batch[MembershipChanged], histories: HistoryStore) -> None:
    """Keep what each person entered and left, and count it by the hour. Safe twice.

    The counts are saved first: they know by its place what they have counted, a history by its version.
    """
    people = await histories.load(person_id(message.tenant, message.profile_id) for message in batch)
    flips = [each for message in batch for each in taken(people, message, batch.origin(message))]
    sums = await histories.load_activity(each.record for each in flips)
    for each in flips:
        sums[each.record].count(each.flip, each.offset)
    await histories.save_activity(sums)
    await histories.save(people)
    for message in batch:
        batch.settle(message)


def taken(people: dict[str, History], message: MembershipChanged, origin: Origin) -> Iterator[Counted]:
    """The flips of a message that are news."""
    for flip in people[person_id(message.tenant, message.profile_id)].take(message):
        yield Counted(activity_id(message.tenant, flip, origin.partition), flip, origin.offset)


def stages(histories: HistoryStore) -> list[Stage[Any]]:
    """The one."""
    return [Stage(keep_flips, reads=MEMBERSHIP_CHANGED, emits=[], uses=[histories], rest_seconds=REST_SECONDS)]
