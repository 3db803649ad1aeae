"""Many people in the stores, and many of their events waiting: is memory bounded?"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from cdp_devstack.running import Running
from pymongo import MongoClient

from tests.load.crowd import Stencil, device_of, fill
from tests.load.pouring import pour
from tests.load.sampling import Samples, catch_up, watched
from tests.load.scenarios import PIPELINE, Figures, expect
from tests.load.traffic import event, put
from tests.load.watching import letters, peak_megabytes, settled

READERS: Final = (*PIPELINE, "collector-receipts", "identity-matcher")
LOOK_SECONDS: Final = 10.0
MOST_MEGABYTES: Final = 300
MOST_GROWN: Final = 10  # MB in the last half, by a line through it
LONG_MINUTES: Final = 5  # until what is kept by count or by bytes is full


async def ocean(up: Running, events: int, people: int, minutes: float, crowd: str = "ocean") -> Figures:
    """Work at a backlog of known people's events for some minutes, not to its end."""
    await put(up, [{**event(device_of(crowd, people)), "messageId": f"first-of-{device_of(crowd, people)}"}])
    await settled(up)
    before = await letters(up)
    for name in READERS:
        up.platform.roles[name].stop()
    began = time.monotonic()
    stencil = Stencil.of(up.stack.mongo, device_of(crowd, people))
    await asyncio.to_thread(fill, up.stack.mongo, stencil, crowd, people)
    filled = time.monotonic()
    persons = entities(up)
    await asyncio.to_thread(pour, up.stack.kafka, crowd, people, events)
    poured = time.monotonic()
    print(
        f"  {people:,} people after {filled - began:.0f} s, {events:,} events after {poured - filled:.0f} s more"
    )
    for name in READERS:
        up.platform.roles[name].launch()
    for name in READERS:
        await asyncio.to_thread(up.platform.roles[name].wait_ready)
    samples = Samples()
    await watched(up, 60 * minutes, min(LOOK_SECONDS, 6 * minutes), samples)
    expect(await letters(up) == before, "something was dead-lettered")
    expect(entities(up) == persons, "somebody of the crowd was not known")
    peaks = peak_megabytes(up)
    grown = {name: samples.grown(name) for name in READERS}
    found = {**catch_up(samples), **{f"{n}, grown in the last half, MB": g for n, g in grown.items()}, **peaks}
    for name in READERS:
        expect(peaks[name] < MOST_MEGABYTES, f"{name} held {peaks[name]:.0f} MB: {found}")
        flat = minutes < LONG_MINUTES or grown[name] < MOST_GROWN
        expect(flat, f"{name} grew by {grown[name]:.0f} MB in the last half: {found}")
    return found


def entities(up: Running) -> int:
    """How many persons identity knows."""
    with MongoClient[dict[str, object]](up.stack.mongo) as client:
        return client["cdp_identity"]["entities"].estimated_document_count()
