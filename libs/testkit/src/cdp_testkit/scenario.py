"""A scenario language: what people do, told as a story and put on a bus as their devices would send it.

ada = shop.visitor("ada-phone").consents().views(3)
await shop.play(ada)
await shop.play(ada.waits(minutes=31).views())
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, TypeAlias
from uuid import uuid5

from cdp_contracts.envelope import NAMESPACE, JsonObject
from cdp_contracts.events_v1 import EventReceived
from cdp_contracts.topics import EVENTS_RECEIVED
from cdp_runtime.clock import ManualClock
from cdp_runtime.codec import encode
from pydantic import JsonValue

from cdp_testkit import builders
from cdp_testkit.bus import LocalBus

PACE_SECONDS: Final = 1.0
"""From one event to the next."""

YES: Final = {"Analytics": True, "Functional": True, "Advertising": True}
NO: Final = {"Analytics": False, "Functional": False, "Advertising": False}


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes, and nothing happens."""

    seconds: float


Step: TypeAlias = EventReceived | Wait


class Visitor:
    """Somebody on a device. Every call adds to what he or she is about to do and returns the visitor.

    Message ids are `<device>-<number>`, counting the visitor's events from 1.
    """

    def __init__(self, device: str, write_key: str) -> None:
        self.device = device
        self.user: str | None = None
        self._write_key = write_key
        self._told: list[EventReceived] = []
        self._ahead: list[Step] = []

    def consents(self, **choices: bool) -> Self:
        """Answers the question for consent: yes to everything, unless said otherwise."""
        return self._send(builders.consent(choices or YES))

    def refuses(self) -> Self:
        """Answers the question for consent: no."""
        return self._send(builders.consent(NO))

    withdraws = refuses

    def views(self, times: int = 1, **properties: JsonValue) -> Self:
        """Looks at products."""
        return self.does("Product Viewed", times, **properties)

    def fills_cart(self, **properties: JsonValue) -> Self:
        """Puts something into the cart."""
        return self.does("Product Added", **properties)

    def buys(self, revenue: float = 20, **properties: JsonValue) -> Self:
        """Completes an order."""
        order = f"order-{self.device}-{len(self._told) + 1}"
        return self.does("Order Completed", order_id=order, revenue=revenue, currency="EUR", **properties)

    def does(self, event: str, times: int = 1, /, **properties: JsonValue) -> Self:
        """Does something that is tracked under that name."""
        for _ in range(times):
            self._send(builders.track(event, **properties))
        return self

    def visits(self, page: str) -> Self:
        """Opens a page."""
        return self._send(builders.event("page", name=page))

    def logs_in(self, user: str, **traits: JsonValue) -> Self:
        """Says who he or she is; from now on every event carries the user id."""
        self.user = user
        return self._send(builders.event("identify", traits=dict(traits)))

    def was_known_as(self, previous: str) -> Self:
        """Says which device he or she was on before."""
        return self._send(builders.event("alias", previous_id=previous))

    def sends(self, type: str, **fields: JsonValue) -> Self:  # noqa: A002  # the field's name
        """Sends whatever a sender might: fields in snake case."""
        return self._send(builders.event(type, **fields))

    def repeats(self, times: int = 1) -> Self:
        """Sends the last event again, as a client does that heard no answer: the same message id."""
        self._ahead.extend([self._told[-1]] * times)
        return self

    def waits(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> Self:
        """Does nothing for a while."""
        self._ahead.append(Wait(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
        return self

    @property
    def last_message_id(self) -> str:
        """The message id of the last event."""
        return f"{self.device}-{len(self._told)}"

    def go_on(self) -> list[Step]:
        """What is still to be done; from now on it is done."""
        steps, self._ahead = self._ahead, []
        return steps

    def _send(self, event: EventReceived) -> Self:
        said: JsonObject = {
            "write_key": self._write_key,
            "message_id": f"{self.device}-{len(self._told) + 1}",
            "anonymous_id": self.device,
            "user_id": self.user,
        }
        told = event.model_copy(update={name: v for name, v in said.items() if name not in event.model_fields_set})
        self._told.append(told)
        self._ahead.append(told)
        return self


class Scenario:
    """People who play their stories on a bus whose clock is moved by hand."""

    def __init__(self, bus: LocalBus, write_key: str) -> None:
        self.bus = bus
        self._write_key = write_key
        self._times: dict[str, str] = {}

    @property
    def clock(self) -> ManualClock:
        """The time of the story."""
        return self.bus.clock

    def visitor(self, device: str) -> Visitor:
        """Somebody new on a device."""
        return Visitor(device, self._write_key)

    async def play(self, *visitors: Visitor) -> None:
        """Let each visitor do what he or she has not done yet, one after the other, and all stages handle it."""
        for visitor in visitors:
            for step in visitor.go_on():
                await (self.wait(step.seconds) if isinstance(step, Wait) else self.publish(step))
        await self.bus.drain()

    async def publish(self, event: EventReceived) -> None:
        """Put an event on the bus; without a time of its own it happens now, a copy when the first one did."""
        now = self.clock.now().isoformat()
        if event.timestamp is None:
            event = event.model_copy(update={"timestamp": self._times.setdefault(str(event.message_id), now)})
        record = encode(EVENTS_RECEIVED, event, source="scenario", now=self.clock.now())
        self.bus.write(record._replace(key=key_of(event)))
        self.clock.advance(PACE_SECONDS)

    async def wait(self, seconds: float) -> None:
        """Handle what has happened, then let time pass and give the clock its turn."""
        await self.bus.drain()
        self.clock.advance(seconds)
        await self.bus.tick()
        await self.bus.drain()


def key_of(event: EventReceived) -> bytes:
    """What keeps the events of one device in their order: a hash, for no id may stand in a key."""
    return str(uuid5(NAMESPACE, f"{event.anonymous_id or event.user_id}")).encode()
