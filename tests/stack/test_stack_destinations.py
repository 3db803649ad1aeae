"""The sender as a process on a real broker: endpoints that die and come back, kills, definitions that change."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from cdp_cli import definitions, topics
from cdp_cli.main import app
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_devstack.platform import ROLES, RoleProcess, kafka_environment, kafka_settings
from cdp_devstack.servers import Stack
from cdp_devstack.servers.child import plain_environment
from cdp_devstack.servers.ports import free_port
from cdp_devstack.servers.stack import Kind
from cdp_runtime.codec import encode
from cdp_runtime.kafka_client import KafkaProducer
from typer.testing import CliRunner

sys.path.append(str(Path(__file__).parents[2] / "services/segments/tests"))

from sender_world import SECRET, flip, person
from webhook_receiver import Receiver, Reply, receiving

PEOPLE = [f"p{number}" for number in range(12)]
LETTERS = "cdp.deliveries.requested.v1.segments.dlq"


@pytest.fixture(
    params=[pytest.param("embedded", marks=pytest.mark.wire), pytest.param("local", marks=pytest.mark.stack)]
)
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    with Stack.start(cast("Kind", request.param), only=("kafka",)) as started:
        asyncio.run(topics.apply(kafka_settings(started)))
        yield started


class World:
    """The sender, the broker in front of it, and those who define destinations."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.folder = folder
        self.producer = KafkaProducer(kafka_settings(stack))
        self.environment = {**kafka_environment(kafka_settings(stack)), "CDP_KAFKA_DRAIN_SECONDS": "2"}
        (folder / "destination-shared").write_text(SECRET)
        extra = {"CDP_SEGMENTS_SECRETS_FOLDER": str(folder), "CDP_SEGMENTS_PRIVATE_HOSTS": '["127.0.0.1"]'}
        (spec,) = (spec for spec in ROLES if spec.name == "segments-sender")
        self.role = RoleProcess(spec, folder, {**plain_environment(), **self.environment, **extra})

    async def start(self) -> None:
        self.role.launch()
        await asyncio.to_thread(self.role.wait_ready)

    async def applies(self, name: str, url: str, **fields: Any) -> None:
        """What `cdp apply` does with a file."""
        given = {"segments": ["s"], "secret": "shared", "owner": "them", "requests_per_second": 500}
        file = self.folder / "definitions" / "destinations" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump({"tenant": "demo", "name": name, "url": url, **given, **fields}))
        await definitions.apply(definitions.load(self.folder / "definitions"), self.producer)

    async def tells(self, *versions: int) -> None:
        """Everybody's flips of these versions, in order."""
        now = datetime.now(UTC)
        flips = [flip(who, version, "s", at=now) for version in versions for who in PEOPLE]
        await self.producer.send([encode(MEMBERSHIP_CHANGED, one, source="test", now=now) for one in flips])

    def cdp(self, *arguments: str) -> str:
        outcome = CliRunner(env=self.environment).invoke(app, list(arguments))
        assert outcome.exit_code == 0, outcome.output
        return outcome.output


@asynccontextmanager
async def opened(stack: Stack, folder: Path) -> AsyncIterator[World]:
    world = World(stack, folder)
    try:
        await world.start()
        yield world
    finally:
        await asyncio.to_thread(world.role.stop)
        await world.producer.close()


async def eventually(what: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.05)


def versions(receiver: Receiver, *, first: bool = True) -> dict[str, list[int]]:
    """What came of each person, in order; with `first`, each version once."""
    found: dict[str, list[int]] = {}
    for request in receiver.requests:
        mine = found.setdefault(request.data["profile_id"], [])
        if not (first and request.flip[1] in mine):
            mine.append(request.flip[1])
    return found


def everybody(*expected: int) -> dict[str, list[int]]:
    return {str(person(who)): list(expected) for who in PEOPLE}


@pytest.mark.timeout(240)
def test_endpoints_die_and_come_back_and_nobody_waits_for_them(stack: Stack, tmp_path: Path) -> None:
    asyncio.run(die_and_come_back(stack, tmp_path))
    assert "the fetch loop failed" not in (tmp_path / "segments-sender.log").read_text(), "each stage has one"


async def die_and_come_back(stack: Stack, folder: Path) -> None:
    port = free_port()
    async with AsyncExitStack() as exits:
        mail = await exits.enter_async_context(receiving())
        world = await exits.enter_async_context(opened(stack, folder))
        await world.applies("mail", mail.url)
        await world.applies("shop", f"http://127.0.0.1:{port}/flips", concurrency=4)
        await eventually(lambda: 'stage="deliver.demo.shop"' in world.role.metrics())

        await world.tells(1, 2)
        await eventually(lambda: versions(mail) == everybody(1, 2))
        assert 'cdp_deliveries_total{destination="demo/shop",outcome="delivered"}' not in world.role.metrics()
        await eventually(lambda: oldest(world, "demo/shop") > 0)

        shop = await exits.enter_async_context(receiving(port=port))  # it comes back
        await eventually(lambda: versions(shop) == everybody(1, 2))
        assert len(mail.requests) == 2 * len(PEOPLE), "what one failed on was not sent to the other again"

        shop.answers = lambda _: Reply(503)
        await world.tells(3)
        await eventually(lambda: versions(mail) == everybody(1, 2, 3))
        world.role.kill()  # in the middle of what it could not deliver
        await world.tells(4)
        shop.answers = lambda _: Reply()
        await world.start()
        await eventually(lambda: versions(shop) == everybody(1, 2, 3, 4))
        await eventually(lambda: versions(mail) == everybody(1, 2, 3, 4))
        assert len({request.id for request in shop.requests}) == 4 * len(PEOPLE)

        late = await exits.enter_async_context(receiving())  # defined while the role runs
        await world.applies("late", late.url)
        await eventually(lambda: 'stage="deliver.demo.late"' in world.role.metrics())
        await world.tells(5)
        await eventually(lambda: versions(late) == everybody(5))
        await world.applies("late", late.url, state="archived")
        await world.applies("mail", mail.url, segments=["other"])
        await world.applies("zero", mail.url, segments=["none"])  # read last: then the others are in force
        await eventually(lambda: 'stage="deliver.demo.zero"' in world.role.metrics())
        await world.tells(6)
        await eventually(lambda: versions(shop) == everybody(1, 2, 3, 4, 5, 6))
        assert versions(late) == everybody(5)
        assert versions(mail) == everybody(1, 2, 3, 4, 5)

        shop.answers = lambda request: Reply(410 if request.data["profile_id"] == str(person("p3")) else 200)
        await world.tells(7)
        await eventually(lambda: versions(shop) == everybody(1, 2, 3, 4, 5, 6, 7))
        while "http-410" not in await asyncio.to_thread(world.cdp, "dlq", "list", LETTERS):
            await asyncio.sleep(0.2)
        shop.answers = lambda _: Reply()
        sent, others = len(shop.requests), (len(mail.requests), len(late.requests))
        assert "1 letters replayed" in await asyncio.to_thread(world.cdp, "dlq", "replay", LETTERS)
        await eventually(lambda: len(shop.requests) == sent + 1)
        assert (len(mail.requests), len(late.requests)) == others
        again = shop.requests[-1]
        assert (again.data["profile_id"], again.flip[1]) == (str(person("p3")), 7)
        assert again.id in {request.id for request in shop.requests[:-1]}


def oldest(world: World, destination: str) -> float:
    lines = [line for line in world.role.metrics().splitlines() if line.startswith("cdp_delivery_oldest_seconds{")]
    return max(float(line.split()[-1]) for line in lines if destination in line)
