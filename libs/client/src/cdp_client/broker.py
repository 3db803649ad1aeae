"""Emit straight onto the broker. Needs the extra `cdp-client[kafka]`."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from hashlib import sha256
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from cdp_contracts.topics import EVENTS_RECEIVED

from cdp_client import events
from cdp_client.events import About, Properties

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer


class BrokerEmitter:
    """Puts events on `cdp.events.received.v1`; the validator judges them like those from the HTTP edge.

    An async context manager. Every call returns the message id once all in-sync replicas have the event, and
    raises aiokafka's KafkaError, or ValueError for what is no event. Sent again with the same message id, an
    event counts once. The events of one device keep their order. Keyword arguments go to aiokafka's producer
    (security, for instance).
    """

    def __init__(self, bootstrap: str, write_key: str, **options: Any) -> None:
        self._options = {"bootstrap_servers": bootstrap, "acks": "all", **options}
        self._write_key = write_key
        self._producer: AIOKafkaProducer | None = None

    async def track(self, name: str, *, properties: Properties | None = None, **about: Unpack[About]) -> str:
        """Send something that happened."""
        return await self._send(events.track(name, properties, **about))

    async def identify(self, *, traits: Properties | None = None, **about: Unpack[About]) -> str:
        """Say who somebody is."""
        return await self._send(events.identify(traits, **about))

    async def consent(self, choices: Mapping[str, bool], **about: Unpack[About]) -> str:
        """Pass on what a person allows, by category: {"Analytics": True}."""
        return await self._send(events.consent(choices, **about))

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
            self._producer = None

    async def _send(self, body: Properties) -> str:
        if self._producer is None:
            raise RuntimeError("use BrokerEmitter as an async context manager")
        value = json.dumps({**body, "writeKey": self._write_key}, allow_nan=False).encode()
        await self._producer.send_and_wait(EVENTS_RECEIVED.name, value, key=key_of(body, self._write_key))
        return str(body["messageId"])


def key_of(body: Properties, write_key: str) -> bytes:
    """What keeps the events of a device in order, else those of a user: a keyed hash, for keys hold no ids."""
    subject = f"device:{body['anonymousId']}" if "anonymousId" in body else f"user:{body['userId']}"
    return hmac.new(write_key.encode(), subject.encode(), sha256).hexdigest()[:32].encode()
