"""Millions of events onto the broker, by processes that do nothing else."""

from __future__ import annotations

import json
import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from cdp_contracts.topics import EVENTS_RECEIVED
from cdp_devstack.platform import WRITE_KEY
from confluent_kafka import KafkaException, Producer

from tests.load.crowd import device_of
from tests.load.traffic import ALLOWED, event

PROCESSES: Final = 3
POLL_EVERY: Final = 1_000
FLUSH_SECONDS: Final = 120
BROWSER: Final = {
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "page": {"path": "/products/sku-1", "title": "A product"},
}
OPTIONS: Final = {
    "partitioner": "murmur2_random",  # as every other client of ours
    "acks": "all",
    "linger.ms": 20,
    "batch.size": 500_000,
    "queue.buffering.max.messages": 200_000,
}


def pour(bootstrap: str, crowd: str, people: int, events: int) -> None:
    """So many events of people drawn from a crowd. Returns when the broker has them all."""
    shares = [events // PROCESSES + (n < events % PROCESSES) for n in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        pouring = [pool.submit(share, bootstrap, crowd, people, n, count) for n, count in enumerate(shares)]
        for done in pouring:
            done.result()


def share(bootstrap: str, crowd: str, people: int, seed: int, count: int) -> None:
    """What one process sends; raises what the broker refuses."""
    dice = random.Random(seed)
    failed: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, **OPTIONS})
    blank = value_of(device_of(crowd, 0))
    device, message = device_of(crowd, 0).encode(), message_of(0, 0)
    for n in range(count):
        who = device_of(crowd, dice.randrange(people)).encode()
        value = blank.replace(device, who).replace(message, message_of(seed, n))
        while True:
            try:
                producer.produce(
                    EVENTS_RECEIVED.name, value, who, on_delivery=lambda error, _: error and failed.append(error)
                )
                break
            except BufferError:  # the broker is slower than we are
                producer.poll(0.1)
        if n % POLL_EVERY == 0:
            producer.poll(0)
    if producer.flush(FLUSH_SECONDS) or failed:
        raise KafkaException(f"{len(failed) or 'some'} events were not taken: {failed[:1]}")


def message_of(seed: int, n: int) -> bytes:
    """A message id, always as long."""
    return f"poured-{seed}-{n:09d}".encode()


def value_of(device: str) -> bytes:
    """Some 450 bytes of an event, to be given other names."""
    context = {**ALLOWED, **BROWSER}
    return json.dumps(
        {**event(device, context=context), "messageId": message_of(0, 0).decode(), "writeKey": WRITE_KEY}
    ).encode()
