"""What every message has in common: who it belongs to, what caused it, and when it happened."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha1
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

NAMESPACE: Final = UUID("8f6b1f0e-6a1d-5c1e-9a55-3d1f7c0b7e01")

JsonObject: TypeAlias = dict[str, JsonValue]


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


UtcDatetime: TypeAlias = Annotated[AwareDatetime, AfterValidator(_to_utc)]
Tenant: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Pseudonym: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="keyed hash, never raw")]


def derived_id(cause: UUID | str, kind: str, n: int = 0) -> UUID:
    """The id of the n-th message of a kind that a cause brings about: the same on every redelivery.

    It is `uuid5(NAMESPACE, "<cause>/<kind>/<n>")`, spelled out because every message of every hop needs one.
    """
    digest = sha1(NAMESPACE.bytes + f"{cause}/{kind}/{n}".encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


class Contract(BaseModel):
    """A frozen value of the contracts. Readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null", allow_inf_nan=False)


class Message(Contract):
    """A message on a topic. `id` makes it idempotent; `message_id` names the event it goes back to."""

    tenant: Tenant
    id: UUID
    message_id: str = Field(min_length=1, max_length=128)
    occurred_at: UtcDatetime = Field(description="the sender's clock, corrected")
    received_at: UtcDatetime = Field(description="our clock at the edge; latency is measured from it")
