"""Emit straight onto the broker, and subscribe to segments. Needs the extra `cdp-client[kafka]`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

from cdp_contracts.segments_v1 import MembershipChange, MembershipChanged
from cdp_contracts.topics import EVENTS_RECEIVED, MEMBERSHIP_CHANGED

from cdp_client.events import Properties, event

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

REMEMBERED: Final = 100_000


class BrokerEmitter:
    """Puts events on `cdp.events.received.v1`; the validator judges them like those from the HTTP edge.

    An async context manager. Keyword arguments go to aiokafka's clients (security, for instance).
    """

    def __init__(self, bootstrap: str, write_key: str, **options: Any) -> None:
        self._options = {"bootstrap_servers": bootstrap, "acks": "all", "enable_idempotence": True, **options}
        self._write_key = write_key
        self._producer: AIOKafkaProducer | None = None

    async def track(
        self,
        name: str,
        *,
        user_id: str | None = None,
        anonymous_id: str | None = None,
        properties: Properties | None = None,
        context: Properties | None = None,
        message_id: str | None = None,
        timestamp: datetime | None = None,
    ) -> str:
        """Send something that happened; returns its message id once the broker has acknowledged it."""
        body = event(
            "track", user_id=user_id, anonymous_id=anonymous_id, message_id=message_id, timestamp=timestamp,
            event=name, properties=properties, context=context, writeKey=self._write_key,
        )  # fmt: skip
        if self._producer is None:
            raise RuntimeError("use BrokerEmitter as an async context manager")
        await self._producer.send_and_wait(EVENTS_RECEIVED.name, json.dumps(body).encode())
        return str(body["messageId"])

    async def __aenter__(self) -> Self:
        from aiokafka import AIOKafkaProducer  # noqa: PLC0415  # an optional dependency

        self._producer = AIOKafkaProducer(**self._options)
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._producer is not None:
            await self._producer.stop()


@dataclass(frozen=True, slots=True)
class Flip:
    """One person entered or left the segment."""

    profile_id: UUID
    change: MembershipChange
    version: int
    message: MembershipChanged

    @property
    def entered(self) -> bool:
        """True when the person is in the segment now."""
        return self.change.member


async def subscribe(
    segment: str, *, bootstrap: str, group: str, tenant: str | None = None, **options: Any
) -> AsyncIterator[Flip]:
    """Follow who enters and leaves a segment, for as long as you iterate.

    A flip is committed when you ask for the next one: at least once, in the order of each person. Copies
    (same person, version not higher) are dropped as far as this process remembers; keep `version` beside your
    own data to drop them across restarts. A new group starts at the beginning of what is kept.
    """
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415  # an optional dependency

    settings = {"enable_auto_commit": False, "auto_offset_reset": "earliest", **options}
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(
        MEMBERSHIP_CHANGED.name, bootstrap_servers=bootstrap, group_id=group, **settings
    )
    seen: dict[UUID, int] = {}
    await consumer.start()
    try:
        async for record in consumer:
            if record.value is None:
                continue
            message = MembershipChanged.model_validate_json(record.value)
            if tenant in (None, message.tenant) and message.version > seen.get(message.profile_id, 0):
                remember(seen, message)
                for change in message.changes:
                    if change.segment == segment:
                        yield Flip(message.profile_id, change, message.version, message)
            await consumer.commit()
    finally:
        await consumer.stop()


def remember(seen: dict[UUID, int], message: MembershipChanged) -> None:
    """Note the newest version of a person; forget whoever has not moved for longest."""
    seen.pop(message.profile_id, None)
    seen[message.profile_id] = message.version
    if len(seen) > REMEMBERED:
        del seen[next(iter(seen))]
