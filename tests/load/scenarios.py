"""What a platform must bear. Each scenario checks that nothing is lost or set aside, and returns its figures."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias
from uuid import uuid4

from cdp_cli.records import read_to_end
from cdp_contracts.topics import EVENTS_RECEIVED
from cdp_devstack.exits import id_of
from cdp_devstack.running import Running
from cdp_devstack.servers.slow import slow_wire
from pydantic import TypeAdapter

from tests.load.traffic import Answers, event, latencies, put, send, views_of
from tests.load.watching import largest_record, letters, peak_megabytes, settled

Figures: TypeAlias = Mapping[str, float]
Scenario: TypeAlias = Callable[[Running, int], Awaitable[Figures]]

PIPELINE: Final = (
    "collector-validator",
    "consent-gate",
    "identity-resolver",
    "profiles-writer",
    "segments-evaluator",
)
CROWD: Final = 200
OTHERS: Final = 30
OTHERS_A_SECOND: Final = 15
SLOW_SECONDS: Final = 0.2
SLOW_ROLE: Final = "profiles-writer"
ROOM: Final = 64 * 1024
JSON: Final = TypeAdapter(dict[str, Any])


def expect(holds: object, otherwise: str) -> None:
    """AssertionError unless it holds."""
    if not holds:
        raise AssertionError(otherwise)


async def hotkey(up: Running, n: int) -> Figures:
    """Half of all events are of one device, the rest of many."""
    run, before = uuid4().hex[:8], await letters(up)
    hot = f"hot-{run}"
    events = [event(hot if i % 2 else f"crowd-{run}-{i % CROWD}") for i in range(n)]
    started = time.monotonic()
    async with asyncio.TaskGroup() as both:
        both.create_task(put(up, events))
        crowd = both.create_task(latencies(up, OTHERS, OTHERS_A_SECOND))
    await settled(up)
    seconds = time.monotonic() - started
    counted = await views_of(up, hot)
    expect(counted == n // 2, f"{counted} of {n // 2} events of the hot device are counted")
    expect(await letters(up) == before, "something was dead-lettered")
    return {"events/s": n / seconds, **told("others", crowd.result()), **await sizes(up), **peak_megabytes(up)}


async def bot(up: Running, n: int) -> Figures:
    """One device makes n events, as quickly as the edge takes them, between visitors who behave."""
    device, before = f"bot-{uuid4().hex[:8]}", await letters(up)
    alone = await latencies(up, OTHERS, OTHERS_A_SECOND)
    small = await sizes(up)
    started = time.monotonic()
    answers = Answers()
    async with asyncio.TaskGroup() as both:
        both.create_task(send(up, [event(device) for _ in range(n)], answers, per_request=100))
        others = both.create_task(latencies(up, OTHERS, OTHERS_A_SECOND))
    sent = time.monotonic() - started
    await settled(up)
    counted = await views_of(up, device)
    expect(len(answers.stored) == n and counted == n, f"{counted} of {n} events of the bot are counted")
    expect(await letters(up) == before, "something was dead-lettered")
    return {
        "bot's events a minute": 60 * n / sent, "connections that broke": len(answers.broken),
        **told("others, alone", alone), **told("others, beside it", others.result()),
        **{f"before, {name}": size for name, size in small.items()}, **await sizes(up), **peak_megabytes(up),
    }  # fmt: skip


async def slow_store(up: Running, n: int) -> Figures:
    """MongoDB answers one role late; the others go on, it waits and catches up."""
    device, before = f"patient-{uuid4().hex[:8]}", await letters(up)
    role = up.platform.roles[SLOW_ROLE]
    with slow_wire(up.stack.mongo_server.port, SLOW_SECONDS) as wire:
        url = up.stack.mongo.replace(f":{up.stack.mongo_server.port}", f":{wire.port}")
        role.stop()
        role.launch({"CDP_MONGO_URL": url})
        await asyncio.to_thread(role.wait_ready)
        started = time.monotonic()
        await put(up, [event(device if i % 10 == 0 else f"{device}-{i}") for i in range(n)])
        await settled(up, until=SLOW_ROLE)
        upstream = time.monotonic() - started
        expect(await letters(up) == before, "something was dead-lettered while the store was slow")
        while await views_of(up, device) < n // 10:
            await asyncio.sleep(0.2)
        behind = time.monotonic() - started
        peaks = peak_megabytes(up)
        role.stop()
    role.launch()
    await asyncio.to_thread(role.wait_ready)
    await settled(up)
    expect(await views_of(up, device) == n // 10, "events were lost or counted twice")
    return {"others done, s": upstream, "slow role done, s": behind, **peaks}


async def full_disk(up: Running, n: int) -> Figures:
    """The broker may not write any more (a limit on its files: EFBIG where a full disk says ENOSPC)."""
    kafka = up.stack.kafka_server
    await send(up, [event("before") for _ in range(10)], answers := Answers())
    expect(not answers.refused, "the edge refused before the disk was full")
    largest = max(file.stat().st_size for file in kafka.folder.glob("data/*/*.log"))
    resource.prlimit(kafka.pid or 0, resource.RLIMIT_FSIZE, (largest + ROOM,) * 2)
    padding = "x" * 1000
    for _ in range(max(1, n // 100)):
        batch = [event("during", context={**event("")["context"], "padding": padding}) for _ in range(100)]
        await send(up, batch, answers, per_request=100)
        if answers.refused:
            break
    expect(bool(answers.refused), "the disk did not become full")
    for answer in answers.refused:
        expect(answer.status_code == 503, f"the edge answered {answer.status_code}")
        expect(answer.headers.get("Retry-After", "").isdigit(), "Retry-After is not a whole number")
    away = time.monotonic()
    await asyncio.to_thread(kafka.stop)
    await asyncio.to_thread(kafka.start)
    while not (again := await sent_again(up)):
        await asyncio.sleep(0.1)
    answers.stored |= again
    seconds = time.monotonic() - away
    topic = read_to_end(up.kafka, [EVENTS_RECEIVED.name])
    kept = {id_of(JSON.validate_json(record.value or b"{}")) async for record in topic}
    lost = answers.stored - kept
    expect(not lost, f"{len(lost)} acknowledged events are lost")
    await settled(up)
    return {"acknowledged": len(answers.stored), "lost": len(lost), "accepting again after, s": seconds}


async def sent_again(up: Running) -> set[str]:
    """One more event; its id if the edge says yes."""
    await send(up, [event("after")], answers := Answers())
    return answers.stored


async def backlog(up: Running, n: int) -> Figures:
    """n events are waiting when the services start."""
    run, before = uuid4().hex[:8], await letters(up)
    for name in PIPELINE:
        up.platform.roles[name].stop()
    filling = time.monotonic()
    await put(up, (event(f"backlog-{run}-{i % max(1, n // 20)}") for i in range(n)))
    started = time.monotonic()
    for name in PIPELINE:
        up.platform.roles[name].launch()
    await settled(up)
    seconds = time.monotonic() - started
    expect(await letters(up) == before, "something was dead-lettered")
    expect(await views_of(up, f"backlog-{run}-0") == 20, "events of the backlog were lost or counted twice")
    return {"filled, s": started - filling, "caught up, events/s": n / seconds, **peak_megabytes(up)}


async def sizes(up: Running) -> Figures:
    """The largest records."""
    return {f"largest record of {s}, bytes": await largest_record(up, s) for s in ("profiles", "segments")}


def told(who: str, seconds: list[float]) -> Figures:
    """Median, the slowest of twenty and of a hundred."""
    last = len(seconds) - 1
    return {f"{who}, p{q} ms": 1000 * seconds[int(last * q / 100)] for q in (50, 95, 99)}


SCENARIOS: Final[dict[str, Scenario]] = {
    "hotkey": hotkey,
    "bot": bot,
    "slow-store": slow_store,
    "full-disk": full_disk,
    "backlog": backlog,
}
