"""Who was joined and parted again is as if nobody had ever met: profiles, consents and memberships, by device.

Profiles, consents and what is counted are the same byte for byte, and so is what the clock makes of it from then
on. Only the `since` of a membership differs: who became part of another left, and came back with the unmerge.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import pytest
from assembly import PSEUDONYMS, TENANT, Pipeline
from cdp_contracts.topics import MATCHES_DECIDED, UNMERGES_REQUESTED
from decisions import verdict
from people import restored_profile, vars_of
from unmerging import unmerge

DEVICES: Final = ("phone", "laptop", "watch")
COUNTED: Final = ("rings", "visits", "ever", "part", "shares")
DAYS: Final = 3
LIVES: Final = 12


class Life:
    """Three devices that do things, in the same way on every platform; what is said about them may differ."""

    def __init__(self, platform: Pipeline, seed: int) -> None:
        self.platform = platform
        self.dice = random.Random(seed)
        self.devices = {name: platform.shop.visitor(name).consents().views() for name in DEVICES}
        self.said = 0

    async def goes_on(self) -> None:
        """Somebody does something, and time passes."""
        device = self.devices[self.dice.choice(DEVICES)]
        match self.dice.randrange(6):
            case 0:
                device.fills_cart()
            case 1:
                device.buys()
            case 2:
                device.does("Flash Offer Viewed")
            case 3:
                device.sends("identify", traits={"platform": self.dice.choice(["mobile", "desktop"])})
            case _:
                device.views(self.dice.randint(1, 3))
        device.waits(seconds=self.dice.choice([0, 1, 7, 2000]))
        await self.platform.shop.play(*self.devices.values())

    async def joined(self, one: str, other: str) -> None:
        """A person says that two devices are one person's."""
        self.said += 1
        said = verdict(self.said, one, other, self.platform.bus.clock.now(), "same")
        await self.platform.bus.publish(MATCHES_DECIDED, said)
        await self.platform.bus.drain()
        await self.platform.shop.wait(1)

    async def parted(self, device: str, *groups: tuple[str, ...]) -> None:
        """A person says that devices are persons of their own."""
        self.said += 1
        await self.platform.bus.publish(UNMERGES_REQUESTED, unmerge(self.platform, self.said, device, *groups))
        await self.platform.bus.drain()
        await self.platform.shop.wait(1)

    def known(self) -> dict[str, Any]:
        """What is known of the person of each device, and where they are members."""
        newest = {m.profile_id: m for m in sorted(self.platform.memberships(), key=lambda each: each.version)}
        found: dict[str, Any] = {}
        for name in DEVICES:
            person = self.platform.whose(PSEUDONYMS.of(TENANT, "anonymous_id", name))
            told = newest[person].memberships if person in newest else {}
            known = vars_of(restored_profile(self.platform, person))
            found[name] = known, sorted(told)
        return found

    def counted(self) -> dict[str, Any]:
        """What the segments keep of the events of each device's person."""
        return {name: self._kept_of(name) for name in DEVICES}

    def _kept_of(self, device: str) -> dict[str, Any]:
        person = self.platform.whose(PSEUDONYMS.of(TENANT, "anonymous_id", device))
        document = self.platform.people_records.documents.get(f"{TENANT}/{person}", {})
        return {key: document.get(key) for key in COUNTED}

    async def left(self) -> dict[str, list[tuple[str, bool, datetime]]]:
        """What the clock alone does to the person of each device in the next days, and when."""
        told = {message.id for message in self.platform.memberships()}
        for _ in range(DAYS):
            await self.platform.shop.wait(86400)
        return {name: sorted(self._flips_of(name, told)) for name in DEVICES}

    def _flips_of(self, device: str, but: set[UUID]) -> Iterator[tuple[str, bool, datetime]]:
        person = self.platform.whose(PSEUDONYMS.of(TENANT, "anonymous_id", device))
        for message in self.platform.memberships():
            if message.profile_id == person and message.id not in but:
                yield from ((change.segment, change.member, change.effective_at) for change in message.changes)

    def allowed(self) -> dict[str, Any]:
        """What the gate keeps of everybody's choices, and the whole ledger."""
        documents = self.platform.subjects.documents
        return {"states": documents, "ledger": self.platform.ledger.documents}


async def meanwhile(life: Life, dice: random.Random) -> None:
    """Something is said about the devices that takes as long as saying nothing."""
    one, other = dice.sample(DEVICES, 2)
    if dice.random() < 0.5:
        await life.joined(one, other)
    else:
        await life.parted(one, (other,))


@pytest.mark.parametrize("seed", range(LIVES))
async def test_after_the_last_unmerge_everybody_is_as_if_nobody_had_been_joined(seed: int) -> None:
    alone, together = Life(await Pipeline.ready(), seed), Life(await Pipeline.ready(), seed)
    dice = random.Random(-seed - 1)
    for _ in range(10):
        await alone.goes_on()
        await alone.platform.shop.wait(1)
        await together.goes_on()
        await meanwhile(together, dice)
    await together.parted("phone", ("laptop",), ("watch",))
    await together.parted("laptop", ("watch",))
    await alone.platform.shop.wait(2)
    for life in (alone, together):
        await life.goes_on()
    assert together.known() == alone.known()
    assert together.counted() == alone.counted()
    assert together.allowed() == alone.allowed()
    assert together.platform.bus.clock.now() == alone.platform.bus.clock.now()
    assert alone.allowed()["states"]
    assert await together.left() == await alone.left() != {name: [] for name in DEVICES}
    assert {name for _, told in alone.known().values() for name in told}, "nobody was in any segment"


async def test_while_two_are_one_they_are_told_as_one() -> None:
    life = Life(await Pipeline.ready(), 0)
    await life.goes_on()
    await life.joined("phone", "laptop")
    assert life.known()["phone"] == life.known()["laptop"] != life.known()["watch"]
    await life.parted("phone", ("laptop",))
    assert life.known()["phone"] != life.known()["laptop"]
