"""The whole platform on Apache Kafka: an event over HTTP, and the clock, end in signed requests elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdp_cli import definitions
from cdp_client import Emitter
from cdp_devstack.platform import WRITE_KEY
from cdp_devstack.running import Running, running
from cdp_devstack.servers.ports import free_port
from cdp_runtime.kafka_client import KafkaProducer
from standardwebhooks import Webhook

sys.path.append(str(Path(__file__).parents[2] / "services/segments/tests"))

from sender_world import SECRET
from webhook_receiver import Receiver, receiving

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

KEPT_AS = "shared"
ALLOWED = {"consent": {"categoryPreferences": {"Analytics": True}}}


def test_an_event_becomes_a_signed_request_and_the_clock_another(tmp_path: Path) -> None:
    (tmp_path / f"destination-{KEPT_AS}").write_text(SECRET)
    extra = {"CDP_SEGMENTS_SECRETS_FOLDER": str(tmp_path), "CDP_SEGMENTS_PRIVATE_HOSTS": '["127.0.0.1"]'}
    with running("local", tmp_path / "platform", extra=extra, partitions=2) as up:
        asyncio.run(story(up, tmp_path / "definitions"))


async def story(up: Running, folder: Path) -> None:
    async with receiving() as mail:
        define(folder, "mail", mail.url)
        define(folder, "dead", f"http://127.0.0.1:{free_port()}/")
        producer = KafkaProducer(up.kafka)
        await definitions.apply(definitions.load(folder), producer)
        await producer.close()
        metrics = up.platform.roles["segments-sender"].metrics
        await eventually(lambda: all(f'stage="deliver.demo.{name}"' in metrics() for name in ("mail", "dead")))

        with Emitter(up.url("collector-http"), WRITE_KEY) as emitter:
            await asyncio.to_thread(emitter.track, "Flash Offer Viewed", anonymous_id="phone", context=ALLOWED)
        await eventually(lambda: len(verified(mail)) == 2)

    assert verified(mail) == [("segment.entered", "event"), ("segment.left", "timer")]
    assert len({request.data["profile_id"] for request in mail.requests}) == 1


def define(folder: Path, name: str, url: str) -> None:
    file = folder / "destinations" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    fields = {"tenant": "demo", "name": name, "owner": "them", "url": url, "segments": ["flash-visitors"]}
    file.write_text(yaml.safe_dump({**fields, "secret": KEPT_AS}))


def verified(receiver: Receiver) -> list[tuple[Any, ...]]:
    """What came, each checked by the public library; copies once."""
    requests = {request.id: request for request in receiver.requests}.values()
    bodies = [Webhook(SECRET).verify(request.body, dict(request.headers)) for request in requests]
    return [(body["type"], body["data"]["cause"]) for body in bodies]


async def eventually(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not await asyncio.to_thread(what):
            await asyncio.sleep(0.1)
