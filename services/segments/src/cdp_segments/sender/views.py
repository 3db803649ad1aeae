"""Views: the members of one segment as a compacted topic, for teams that asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from cdp_contracts.definitions_v1 import SegmentViewDefined
from cdp_contracts.envelope import Contract, derived_id
from cdp_contracts.segments_v1 import MembershipChanged, SegmentViewEntry, entry_id
from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENT_VIEWS_DEFINED, SEGMENT_VIEWS_MAINTAINED
from cdp_runtime import codec
from cdp_runtime.batch import Batch
from cdp_runtime.stage import Stage
from cdp_runtime.tables import GlobalTable
from cdp_runtime.transport import Incoming


class Null(Contract):
    """A null value: somebody was erased, or an entry was taken back."""


Told: TypeAlias = MembershipChanged | Null
Entry: TypeAlias = SegmentViewEntry | Null
NULL: Final = Null()


async def keep(batch: Batch[Told], view: SegmentViewDefined) -> None:
    """Keep the entries of a view as the memberships say. Safe twice."""
    for told in batch:
        if isinstance(told, MembershipChanged):
            batch.emit(*entries(told, view), cause=told)
        batch.settle(told)


async def take_back(batch: Batch[Entry], view: SegmentViewDefined) -> None:
    """Null every entry of a view that nobody needs any more. Safe twice."""
    for entry in batch:
        if isinstance(entry, SegmentViewEntry) and (entry.tenant, entry.segment) == (view.tenant, view.name):
            batch.emit(entry.model_copy(update={"member": False}), cause=entry)
        batch.settle(entry)


def entries(told: MembershipChanged, view: SegmentViewDefined) -> Iterator[SegmentViewEntry]:
    """What a message says of the view: a member, one no more, or nothing.

    Of a member also if something else flipped: of most people only the newest message is left on the topic.
    """
    membership = told.memberships.get(view.name)
    flipped = any(change.segment == view.name for change in told.changes)
    if told.tenant == view.tenant and (membership or flipped):
        yield SegmentViewEntry(
            tenant=told.tenant, id=derived_id(told.id, f"view/{view.name}"), message_id=told.message_id,
            occurred_at=told.occurred_at, received_at=told.received_at,
            entry_id=entry_id(told.tenant, view.name, told.profile_id),
            segment=view.name, profile_id=told.profile_id, version=told.version, member=membership is not None,
            since=membership and membership.since, expires_at=membership and membership.expires_at,
        )  # fmt: skip


class Views:
    """A stage for every view that is defined, in a group of its own, new with each version of its definition.

    A new group reads the memberships from the beginning, so a view begins with everybody who is in.
    """

    def __init__(self) -> None:
        self.table: GlobalTable[SegmentViewDefined, SegmentViewDefined] = GlobalTable.plain(SEGMENT_VIEWS_DEFINED)

    def stages(self) -> Sequence[Stage[Any]]:
        """The stages that are to run now."""
        return [keeping(view) if view.state == "live" else ending(view) for view in self.table.values()]


def keeping(view: SegmentViewDefined) -> Stage[Any]:
    """The stage that keeps a view."""

    def decode(record: Incoming) -> Told:
        return NULL if record.value is None else codec.decode(MEMBERSHIP_CHANGED, record.value)

    emits = [SEGMENT_VIEWS_MAINTAINED]
    return Stage(
        keep, reads=MEMBERSHIP_CHANGED, emits=emits, uses=[view], decode=decode, name=f"view.{name_of(view)}"
    )


def ending(view: SegmentViewDefined) -> Stage[Any]:
    """The stage that takes a view back."""

    def decode(record: Incoming) -> Entry:
        return NULL if record.value is None else codec.decode(SEGMENT_VIEWS_MAINTAINED, record.value)

    topic = SEGMENT_VIEWS_MAINTAINED
    return Stage(take_back, reads=topic, emits=[topic], uses=[view], decode=decode, name=f"end.{name_of(view)}")


def name_of(view: SegmentViewDefined) -> str:
    """What tells the groups of views apart."""
    return f"{view.tenant}.{view.name}.v{view.version}"
