"""What is posted to the destinations of other teams: the body of a webhook, and the message that asks for it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from cdp_contracts.envelope import Contract, Message, Tenant, UtcDatetime, derived_id
from cdp_contracts.segments_v1 import MembershipChange

FlipType = Literal["segment.entered", "segment.left"]


class FlipData(MembershipChange):
    """Whose membership flipped, and the flip."""

    tenant: Tenant
    destination: str = Field(description="the name of the destination's definition")
    profile_id: UUID
    version: int = Field(ge=1, description="of the person's memberships: what is not higher than the last is old")


class SegmentFlipped(Contract):
    """The body of a webhook: one person entered or left one segment. `webhook-id` makes it idempotent."""

    type: FlipType
    timestamp: UtcDatetime = Field(description="when the flip took effect")
    data: FlipData


class DeliveryRequested(Message):
    """A flip is to be posted to a destination. `id` is the `webhook-id` of every try."""

    destination_id: UUID = Field(description="of the destination; what waits for one keeps its order")
    computed_at: UtcDatetime = Field(description="when the flip was told; how long it waits is counted from then")
    flip: SegmentFlipped


def destination_id(tenant: str, name: str) -> UUID:
    """The id under which what waits for a destination is kept together."""
    return derived_id(f"{tenant}/{name}", "destination")
