"""The sender is killed at every step of a story: nothing is lost, and what comes twice has the same id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_segments.sender.deciding import Answer
from cdp_testkit import Crash
from cdp_testkit.bus import Action
from sender_world import Sending, flip
from webhook_receiver import Reply, Request, receiving


class KilledAt:
    """Ends the role before the n-th action of the bus, or at the n-th request, once."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.seen = 0

    def __call__(self, _: Action) -> None:
        self.seen += 1
        if self.seen == self.step:
            raise Crash


@dataclass(frozen=True)
class Told:
    """What came of the story at the destination and in the dead letters."""

    requests: list[Request]
    letters: set[str]
    crashes: int

    @property
    def ids(self) -> set[str]:
        return {each.id for each in self.requests}


async def told(folder: Path, noon: datetime, killed: KilledAt) -> Told:
    """The story: two people, six flips, one refused."""
    crashes = 0
    sending = Sending(folder)
    async with receiving() as shop:
        shop.answers = lambda request: Reply(410 if request.flip == ("t", 2) else 200)
        await sending.define("shop", shop.url, segments=["s", "t"])
        sending.bus.script = killed
        story = [
            flip("ann", 1, "s", at=noon), flip("bob", 1, "s", "t", at=noon), flip("ann", 2, "t", at=noon),
            flip("ann", 3, "s", member=False, at=noon), flip("bob", 2, "s", member=False, at=noon),
        ]  # fmt: skip
        await sending.bus.publish(MEMBERSHIP_CHANGED, *story)
        while True:
            try:
                await sending.bus.drain()
            except Crash:
                crashes += 1
                sending.start()
            else:
                break
        await sending.close()
        return Told(shop.requests, {letter["ce_id"] for letter in sending.letters()}, crashes)


def in_order(requests: list[Request]) -> bool:
    """Whether nobody's flip came for the first time after one that follows it."""
    newest: dict[str, int] = {}
    for who, version in dict.fromkeys((each.data["profile_id"], each.flip[1]) for each in requests):
        if version < newest.get(who, 0):
            return False
        newest[who] = version
    return True


async def test_killed_at_every_step_nothing_is_lost(tmp_path: Path, noon: datetime) -> None:
    plain = KilledAt(0)
    whole = await told(tmp_path, noon, plain)
    assert (len(whole.requests), len(whole.ids), len(whole.letters), whole.crashes) == (6, 6, 1, 0)
    for step in range(1, plain.seen + 1):
        again = await told(tmp_path, noon, KilledAt(step))
        assert again.crashes == 1, step
        assert (again.ids, again.letters) == (whole.ids, whole.letters), step
        assert in_order(again.requests), step


@pytest.mark.parametrize("number", [1, 2, 3, 6])
async def test_killed_within_a_batch_it_begins_the_batch_again(
    tmp_path: Path, noon: datetime, number: int
) -> None:
    """The process ends once the destination has its n-th request, before it hears the answer."""
    sending = Sending(tmp_path)
    async with receiving() as shop:
        await sending.define("shop", shop.url, concurrency=1)
        flips = [flip("ann", version, "s", at=noon) for version in range(1, 7)]
        await sending.bus.publish(MEMBERSHIP_CHANGED, *flips)
        post, posted = sending.poster.post, 0

        async def dying(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
            nonlocal posted
            posted += 1
            answer = await post(url, headers, body, seconds)
            if posted == number:
                raise Crash
            return answer

        sending.poster.post = dying  # type: ignore[method-assign]  # the death of a process, not a fake of ours
        with pytest.raises((Crash, BaseExceptionGroup)):
            await sending.bus.drain()
        sending.start()
        await sending.bus.drain()
        versions = [request.flip[1] for request in shop.requests]
        assert versions == [*range(1, number + 1), *range(1, 7)]
        assert len({request.id for request in shop.requests}) == 6
        await sending.close()
