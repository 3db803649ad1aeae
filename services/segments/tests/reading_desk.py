"""The read API in this process, and hands to fill what it reads."""

from __future__ import annotations

from dataclasses import replace

import httpx
from cdp_contracts.topics import MEMBERSHIP_CHANGED, SEGMENTS_DEFINED
from cdp_runtime.access import Tokens
from cdp_runtime.clock import ManualClock
from cdp_runtime.codec import encode
from cdp_runtime.rates import Rates
from cdp_segments.api.door import Door
from cdp_segments.api.routes import build_api
from cdp_segments.catalogs import Catalogs
from cdp_segments.domain.engine import involved, react, wake
from cdp_segments.domain.telling import Delivery, acknowledge, milliseconds_of
from cdp_segments.history.handlers import stages
from cdp_segments.ledger import memory_ledger
from cdp_segments.reading import memory_reading
from cdp_segments.standings import Standings
from cdp_segments.store import MemoryPersonStore
from cdp_testkit import LocalBus
from pydantic import SecretStr

TOKENS = Tokens([(SecretStr("token-of-demo"), "demo"), (SecretStr("token-of-other"), "other")])


def bearing(token):
    return {"Authorization": f"Bearer {token}"} if token else {}


class Desk:
    """The API in this process, and hands to fill what it reads."""

    def __init__(self, make, noon, rates=Rates(0, 1), preview_seconds=60):  # noqa: B008  # has no state without a rate
        self.make = make
        self.catalogs = Catalogs()
        self.offset = 0
        self.people = MemoryPersonStore()
        self.clock = ManualClock(noon)
        self.reading = replace(memory_reading(self.people), preview_seconds=preview_seconds)
        self.bus = LocalBus(self.clock)
        self.bus.attach("segments-evaluator", stages(self.reading.histories))
        standings = Standings(self.catalogs, memory_ledger(), self.clock)
        api = build_api(Door(self.people, standings, TOKENS, rates, self.clock), self.reading)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x")

    def define(self, *definitions):
        for definition in definitions:
            record = encode(SEGMENTS_DEFINED, definition, source="test", now=self.clock.now())
            self.catalogs.table.apply(record.key.decode(), record.value)
        self.catalogs.table.caught_up = True

    async def write(self, *updates):
        people = await self.people.load(record for update in updates for record in involved(update))
        for update in updates:
            self.offset += 1
            delivery = Delivery(0, self.offset, milliseconds_of(update.received_at))
            await self.tell(react(people, update, delivery, self.catalogs.of(update.tenant)))
        await self.people.save(people)

    async def passes(self, moment):
        """Let the clock do its part for everybody up to an instant."""
        people = await self.people.load(list(self.people.records.documents))
        for person in people.values():
            await self.tell(wake(person, milliseconds_of(moment), self.catalogs.of(person.tenant)))
            acknowledge(person)
        await self.people.save(people)
        self.clock.advance((moment - self.clock.now()).total_seconds())

    async def tell(self, messages):
        await self.bus.publish(MEMBERSHIP_CHANGED, *messages)
        await self.bus.drain()

    async def get(self, path, token="token-of-demo", **params):  # noqa: S107
        answer = await self.client.get(path, params=params, headers=bearing(token))
        return answer.status_code, answer.json()

    async def post(self, path, token="token-of-demo", **body):  # noqa: S107
        answer = await self.client.post(path, json=body, headers=bearing(token))
        return answer.status_code, answer.json()
