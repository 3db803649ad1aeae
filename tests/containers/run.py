"""The compose file, for real: build, start, replay a shop's clickstream while roles are restarted and killed.

    .venv/bin/python -m tests.containers.run            # ends with everything removed
    .venv/bin/python -m tests.containers.run --keep     # leaves it running

Needs Docker with compose v2 and what `make setup` installs. The containers have a project name and ports
of their own, so nothing else on the machine is touched. Exit code 1 if anything is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
from cdp_contracts.topics import TOPICS
from cdp_devstack import expected
from cdp_devstack.api import Api
from cdp_devstack.clickstream import Clickstream
from cdp_devstack.exits import Exits, read_exits
from cdp_devstack.listener import Listener
from cdp_devstack.offsets import topic_counts
from cdp_devstack.platform import READ_TOKEN, WRITE_KEY
from cdp_devstack.replay import COPIES, INVALID, Sent, replay, story

from tests.containers.compose import IMAGES, Compose

DISTURBANCES = (
    (0.20, "restart", "identity-resolver"),
    (0.30, "kill", "consent-gate"),
    (0.45, "kill", "profiles-writer"),
    (0.60, "restart", "collector-validator"),
    (0.75, "kill", "segments-evaluator"),
)
DRAIN_SECONDS = 600
STILL_SECONDS = 4
TRACE_SECONDS = 60
RECEIPT_SECONDS = 30
TRACED_ROLES = {
    "collector-http", "collector-validator", "consent-gate", "identity-resolver", "profiles-writer",
    "segments-evaluator",
}  # fmt: skip


class Findings:
    """Prints what was found and remembers what was wrong."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def check(self, text: str, *, holds: bool) -> None:
        """One finding."""
        print(f"{'ok   ' if holds else 'WRONG'} {text}", flush=True)
        if not holds:
            self.wrong.append(text)


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the containers running")
    parser.add_argument("--calm", action="store_true", help="restart and kill nothing")
    options = parser.parse_args()
    compose, found = Compose(), Findings()
    print(f"compose project {compose.project}, edge at {compose.url('collector-http')}", flush=True)
    with lap("build"):
        compose.run("build", "--quiet")
    try:
        with lap("up"):
            compose.run("up", "--detach", "--wait", "--quiet-pull")
        images(compose, found)
        asyncio.run(pipeline(compose, found, calm=options.calm))
    finally:
        if found.wrong or sys.exc_info()[0]:
            print(compose.output("logs", "--no-color", "--tail", "15"), file=sys.stderr)
        if not options.keep:
            compose.run("down", "--volumes", "--timeout", "45")
    print(f"{len(found.wrong)} wrong")
    return 1 if found.wrong else 0


@contextmanager
def lap(what: str) -> Iterator[None]:
    """Tell how long something took."""
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.0f} s", flush=True)


def images(compose: Compose, found: Findings) -> None:
    """Each image holds the code of one service and nothing of another, and is nobody."""
    for name in IMAGES:
        facts = compose.image(name)
        found.check(
            f"image {name}: {facts.megabytes:.0f} MB, of which ours {facts.own_kilobytes:,.0f} kB; "
            f"user {facts.user}; {', '.join(sorted(facts.packages))}",
            holds=facts.user == "10001:10001" and facts.packages == IMAGES[name],
        )


async def pipeline(compose: Compose, found: Findings, *, calm: bool) -> None:
    """Replay, disturb, wait, compare."""
    api = Api(compose)  # type: ignore[arg-type]  # it asks for URLs only, and a compose project has them
    try:
        stream = Clickstream(datetime.now(UTC) - timedelta(seconds=5))
        with lap("replay"):
            sent = await asyncio.to_thread(send, compose, stream, () if calm else DISTURBANCES)
        with lap("drain after the replay"):
            exits = await drained(compose, sent)
        account(found, sent, exits)
        await sizes(found, api, stream)
        await trace(compose, found, api)
    finally:
        await api.close()


def send(compose: Compose, stream: Clickstream, disturbances: tuple[tuple[float, str, str], ...]) -> Sent:
    """Replay the clickstream; at given shares of it a role is restarted or killed."""
    total = sum(1 for _ in story(stream, "containers")) + INVALID + COPIES
    due = [(int(share * total), how, role) for share, how, role in disturbances]
    count, threads = 0, []

    def progress(n: int) -> None:
        nonlocal count
        count += n
        while due and count >= due[0][0]:
            _, how, role = due.pop(0)
            threads.append(threading.Thread(target=compose.disturb, args=(how, role)))
            threads[-1].start()

    sent = replay(stream, compose.url("collector-http"), WRITE_KEY, run="containers", progress=progress)
    for thread in threads:
        thread.join()
    return sent


async def drained(compose: Compose, sent: Sent) -> Exits:
    """Where every event is, once none is on its way; what it was at the deadline otherwise."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        await still(compose.kafka)
        exits = await read_exits(compose.kafka)
        done = len(exits.received) >= sent.events + sent.invalid and not exits.in_flight
        if done or time.monotonic() > deadline:
            return exits


async def still(bootstrap: str) -> None:
    """Return when the topics have not grown for a while."""
    before: object = None
    while before != (now := await topic_counts(bootstrap, [topic.name for topic in TOPICS])):
        before = now
        await asyncio.sleep(STILL_SECONDS)


def account(found: Findings, sent: Sent, exits: Exits) -> None:
    """Nothing lost, nothing by two exits."""
    different = sent.events + sent.invalid
    found.check(f"the client reports no error: {sent.errors[:3]}", holds=not sent.errors)
    found.check(
        f"{different + sent.copies:,} events sent, {different:,} of them different, "
        f"{len(exits.received):,} on the broker",
        holds=len(exits.received) == different,
    )
    found.check(
        f"each went out by one exit: {len(exits.resolved):,} resolved, {len(exits.withheld):,} withheld, "
        f"{len(exits.rejected):,} rejected; {len(exits.in_flight):,} lost, {len(exits.by_two):,} by two exits",
        holds=not exits.in_flight and not exits.by_two and len(exits.rejected) == sent.invalid,
    )
    found.check(f"{exits.dead_lettered:,} dead letters", holds=exits.dead_lettered == 0)
    found.check(
        f"{len(exits.resolved - exits.updated):,} resolved events did not reach a profile",
        holds=exits.resolved <= exits.updated,
    )


async def sizes(found: Findings, api: Api, stream: Clickstream) -> None:
    """Segment sizes beside those that polars computes from the file; windows go on closing meanwhile."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        measured, computed = await api.sizes(), expected.sizes(stream, datetime.now(UTC))
        right = all(measured.get(name) == size for name, size in computed.items())
        if right or time.monotonic() > deadline:
            break
        await asyncio.sleep(1)
    for name, size in computed.items():
        found.check(f"{name}: {measured.get(name, -1):,}, polars says {size:,}", holds=measured.get(name) == size)


async def trace(compose: Compose, found: Findings, api: Api) -> None:
    """One event flips a membership, and the collector saw its trace at every role."""
    async with Listener(compose.kafka) as listener:
        sent = await api.track("Flash Offer Viewed", "traced-visitor", sampled=True)
        heard = await listener.first(lambda one: one.message.message_id == sent.message_id)
    found.check(f"from received to membership: {heard.seconds * 1000:.0f} ms", holds=heard.change.member)
    deadline = time.monotonic() + TRACE_SECONDS
    while (seen := compose.traced(sent.trace_id)) != TRACED_ROLES and time.monotonic() < deadline:
        await asyncio.sleep(1)
    found.check(f"one trace through {', '.join(sorted(seen))}", holds=seen == TRACED_ROLES)
    await receipt(compose, found, sent.message_id)


async def receipt(compose: Compose, found: Findings, message_id: str) -> None:
    """The sender of that event is told whose it is; whom the matcher would propose can be asked for."""
    token = {"Authorization": f"Bearer {READ_TOKEN}"}
    async with httpx.AsyncClient(headers=token, trust_env=False) as reader:
        deadline, told = time.monotonic() + RECEIPT_SECONDS, None
        while told != "resolved" and time.monotonic() < deadline:
            answer = await reader.get(f"{compose.url('collector-receipts')}/v1/receipts/{message_id}")
            told = answer.json().get("outcome")
            await asyncio.sleep(0.2)
        found.check(f"its receipt says: {told}", holds=told == "resolved")
        queue = await reader.get(f"{compose.url('identity-matcher')}/v1/matches")
        found.check(f"the review queue answers {queue.status_code}", holds=queue.status_code == httpx.codes.OK)


if __name__ == "__main__":
    raise SystemExit(main())
