"""One seed from beginning to end: tell the story while things go wrong, wait until all is quiet, compare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from cdp_contracts.topics import MEMBERSHIP_CHANGED

from tests.chaos.cluster import Cluster
from tests.chaos.faults import ACTS, Fault
from tests.chaos.observed import Observed, observe, whose
from tests.chaos.oracle import Outcome, outcome
from tests.chaos.sending import Sender, Told
from tests.chaos.story import Story
from tests.chaos.tape import Tape, quiet
from tests.chaos.verdict import differences

FLASH: Final = "flash-visitors"
FLASH_SECONDS: Final = 60
POLL_SECONDS: Final = 0.5

T = TypeVar("T")


@dataclass
class Result:
    """What came of one seed."""

    differences: list[str]
    events: int = 0
    sent: int = 0
    refusals: int = 0
    permitted: int = 0
    unmerges: int = 0
    seconds: float = 0.0
    faults: tuple[Fault, ...] = field(default=())

    def __str__(self) -> str:
        """One line."""
        what = f"{len(self.differences)} DIFFERENCES" if self.differences else "agrees"
        faults = f"{self.unmerges} unmerges, {len(self.faults)} faults"
        return (
            f"{what}: {self.events} events sent {self.sent} times and {self.refusals} more after a refusal, "
            f"{self.permitted} permitted, {faults}, {self.seconds:.0f} s"
        )


async def run(cluster: Cluster, tape: Tape, story: Story, faults: tuple[Fault, ...]) -> Result:
    """Tell a story under these faults. What never ends or never works again is a difference like any other."""
    started = time.monotonic()
    sender = Sender(cluster.up.kafka, lambda: cluster.edges)
    result = Result([], len(story.events), story.sent, unmerges=len(story.unmerges), faults=faults)
    acts = {act: [fault for fault in faults if fault.act == act] for act in ACTS}
    try:
        told = await amid(cluster, acts["first"], sender.tell(story))
        if story.unmerges:
            await amid(cluster, acts["turn"], sender.part(story, partial(whose, cluster.up)))
            await amid(cluster, acts["second"], sender.go_on(story, told))
        result.refusals = told.refusals
        out = outcome(story)
        result.permitted = len(out.permitted)
        result.differences = await compared(cluster, tape, story, told, out)
    except* Exception as failures:  # told, with the seed, like everything else that is not as it must be
        result.differences += [f"{type(failure).__name__}: {failure}" for failure in failures.exceptions]
    finally:
        await sender.close()
    result.seconds = time.monotonic() - started
    return result


async def amid(cluster: Cluster, faults: Iterable[Fault], action: Coroutine[Any, Any, T]) -> T:
    """Do something while things go wrong; returns when all that follows from it is done, too."""
    async with asyncio.TaskGroup() as doing:
        acting = doing.create_task(action)
        for fault in faults:
            doing.create_task(happen(cluster, fault))
    await quiet(cluster.up.kafka)
    return acting.result()


async def happen(cluster: Cluster, fault: Fault) -> None:
    """Wait for its time."""
    await asyncio.sleep(fault.at)
    await asyncio.to_thread(cluster.apply, fault)


async def compared(cluster: Cluster, tape: Tape, story: Story, told: Told, out: Outcome) -> list[str]:
    """Hold everything against the oracle, once nobody is in the window of seconds any more."""
    seen = await observe(cluster.up, story, tape)
    deadline = time.monotonic() + FLASH_SECONDS
    while in_flash(seen) and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        seen.add(await tape.read())
    return differences(story, told.acknowledged, told.begun, out, seen)


def in_flash(seen: Observed) -> bool:
    """Whether anybody is still told to be in the window of seconds."""
    newest = {seen.message["profile_id"]: seen.message for seen in seen.records[MEMBERSHIP_CHANGED.name]}
    return any(FLASH in message["memberships"] for message in newest.values())
