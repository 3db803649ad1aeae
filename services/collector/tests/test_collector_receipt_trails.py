"""Whose an event is by now: the same answer in whatever order merges and partings are told, and however often."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cdp_collector.domain.facts import Fact, Merged, Parting, Resolved, Unmerged
from cdp_collector.domain.receipts import entries
from cdp_collector.receipts import MemoryReceipts
from cdp_collector.receipts_api import receipts_api
from cdp_collector.store import MemoryDedup
from cdp_runtime.access import Tokens
from cdp_runtime.clock import SystemClock
from cdp_runtime.rates import Rates
from pydantic import SecretStr

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STORIES = 500


class Story:
    """Identifiers come up, meet and are parted. What is told of it is in `told`; `events` says what is whose."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.people: dict[str, tuple[list[str], int]] = {}
        self.events: dict[str, str] = {}
        self.parted: dict[str, datetime] = {}
        self.told: list[Fact] = []
        for n in range(self.random.randint(2, 24)):
            self.common = {"tenant": "demo", "message_id": f"m-{n}", "received_at": NOON + timedelta(seconds=n)}
            self.random.choices([self.appear, self.act, self.merge, self.part], [2, 5, 4, 4])[0](n)
        self.told += self.random.choices(self.told, k=5) if self.told else []
        self.random.shuffle(self.told)

    def owner(self, identifier: str) -> str:
        return next(name for name, (identifiers, _) in self.people.items() if identifier in identifiers)

    def appear(self, n: int) -> None:
        self.people[f"p{n:02}"] = [f"i{n:02}"], 0

    def act(self, n: int) -> None:
        if self.people:
            owner = self.random.choice(list(self.people))
            self.events[f"m-{n}"] = part = self.random.choice(self.people[owner][0])
            self.told.append(Resolved(**self.common, source="web", profile_id=owner, part=part))

    def merge(self, n: int) -> None:
        if len(self.people) > 1:
            survivor, absorbed = sorted(self.random.sample(list(self.people), 2))
            kept, gone = self.people[survivor], self.people.pop(absorbed)
            self.people[survivor] = sorted(kept[0] + gone[0]), max(kept[1], gone[1])
            self.told.append(Merged(**self.common, profile_id=survivor, absorbed=absorbed))

    def part(self, n: int) -> None:
        several = [name for name, (identifiers, _) in self.people.items() if len(identifiers) > 1]
        if several:
            name = self.random.choice(several)
            identifiers, version = self.people[name]
            leaving = self.random.sample(identifiers[1:], self.random.randint(1, len(identifiers) - 1))
            half = self.random.randint(1, len(leaving))
            groups = {f"p{n:02}a": leaving[:half]} | ({f"p{n:02}b": leaving[half:]} if leaving[half:] else {})
            self.people[name] = [i for i in identifiers if i not in leaving], version + 1
            self.people |= {new: (sorted(group), version + 1) for new, group in groups.items()}
            partings = tuple(Parting(profile_id=new, identifiers=tuple(group)) for new, group in groups.items())
            self.told.append(Unmerged(**self.common, profile_id=name, version=version + 1, partings=partings))

    async def check(self) -> None:
        now = SystemClock().now
        receipts = MemoryReceipts(MemoryDedup(600, now), 600, now)
        for fact in self.told:
            await receipts.note(list(entries(fact, "")))
        api = receipts_api(receipts, Tokens([(SecretStr("token"), "demo")]), Rates(0, 1), 600)
        headers = {"Authorization": "Bearer token"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://r") as client:
            for event, identifier in self.events.items():
                said = (await client.get(f"/v1/receipts/{event}", headers=headers)).json()["resolved"]
                owner = self.owner(identifier)
                assert (said["unmerged_to"] or said["merged_into"] or said["profile_id"]) == owner
                assert (said["unmerged_to"] is None) == (said["unmerged_at"] is None)
                assert None in (said["unmerged_to"], said["merged_into"])
                assert (said["unmerged_to"] or said["merged_into"]) != said["profile_id"]


@pytest.mark.parametrize("first", range(0, STORIES, 100))
def test_a_receipt_names_whom_the_event_is_of_in_the_end(first: int) -> None:
    async def stories() -> None:
        for seed in range(first, first + 100):
            try:
                await Story(seed).check()
            except AssertionError as error:
                pytest.fail(f"story {seed}: {error}")

    asyncio.run(stories())
