"""What the sender does: read this page first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

from cdp_contracts.deliveries_v1 import DeliveryRequested, destination_id
from cdp_contracts.envelope import Contract
from cdp_contracts.segments_v1 import MembershipChanged
from cdp_contracts.topics import DELIVERIES_REQUESTED, MEMBERSHIP_CHANGED
from cdp_runtime import codec
from cdp_runtime.batch import Batch
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Incoming

from cdp_segments.sender.courier import Courier, Parcel
from cdp_segments.sender.deciding import deliveries
from cdp_segments.sender.destinations import Destinations

MOST_AT_ONCE: Final = 100


class Elsewhere(Contract):
    """A request for another destination, which the stage of that one delivers."""


Waiting: TypeAlias = DeliveryRequested | Elsewhere


async def route(batch: Batch[MembershipChanged], destinations: Destinations) -> None:
    """Ask for each flip to be delivered to each destination that wants it. Safe twice."""
    for message in batch:
        batch.emit(*deliveries(message, destinations.of(message.tenant)), cause=message)
        batch.settle(message)


async def deliver(batch: Batch[Waiting], courier: Courier) -> None:
    """Post what waits for one destination, and set aside what it will not take. At least once."""
    parcels = [Parcel(each, since(batch, each)) for each in batch if isinstance(each, DeliveryRequested)]
    for parcel, end in await courier.deliver(parcels):
        if end.outcome == "dead-lettered":
            batch.dead_letter(parcel.request, end.reason, end.tries)
    for each in batch:
        batch.settle(each)


def since(batch: Batch[Waiting], request: DeliveryRequested) -> datetime:
    """Since when it waits: a dead letter that was put back has its time anew."""
    written = batch.written_at(request)
    return written if written != batch.origin(request).timestamp else request.computed_at


def waiting_for(key: str) -> Callable[[Incoming], Waiting]:
    """Reads the requests of one destination; those of others are told by the key of their record alone."""
    tenant, _, name = key.partition("/")
    mine = str(destination_id(tenant, name)).encode()

    def decode(record: Incoming) -> Waiting:
        return codec.decode(DELIVERIES_REQUESTED, record.value or b"") if record.key == mine else Elsewhere()

    return decode


def stages(destinations: Destinations) -> list[Stage[Any]]:
    """The sender's lasting stage."""
    return [Stage(route, reads=MEMBERSHIP_CHANGED, emits=[DELIVERIES_REQUESTED], uses=[destinations])]


def delivering(courier: Courier) -> Stage[Any]:
    """The stage of one destination: its own group, so that it waits for nobody and nobody for it."""
    return Stage(
        deliver,
        reads=DELIVERIES_REQUESTED,
        emits=[],
        uses=[courier],
        decode=waiting_for(courier.key),
        max_records=MOST_AT_ONCE,
        name=f"deliver.{courier.key.replace('/', '.')}",
        others_fault=True,
    )
