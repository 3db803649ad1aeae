"""Writers of a newer contract: fields that nobody knows yet, on every topic and at every level, change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from assembly import Pipeline
from cdp_runtime.transport import Outgoing

PARTS = ("event", "edge", "signals", "decision", "evidence")
LISTS = ("changes", "reasons")


def from_the_future(value: bytes | None) -> bytes | None:
    """The message with an unknown field in each of its objects that is not free-form."""
    try:
        message = json.loads(value or b"")
    except ValueError:
        return value
    widen(message)
    return json.dumps(message).encode()


def widen(part: dict[str, Any]) -> None:
    part["invented_later"] = {"deep": [1, None]}
    for name in PARTS:
        if isinstance(part.get(name), dict):
            widen(part[name])
    for name in LISTS:
        for item in part.get(name) or ():
            widen(item)


def widening(write: Callable[[Outgoing], None]) -> Callable[[Outgoing], None]:
    return lambda record: write(record._replace(value=from_the_future(record.value)))


async def told(platform: Pipeline) -> Pipeline:
    """Two devices of one person, a segment entered, a fault, a withdrawal."""
    phone = platform.shop.visitor("phone").consents().views(3)
    laptop = platform.shop.visitor("laptop").consents().views().does("Order Completed")
    await platform.shop.play(phone, laptop)
    await platform.shop.play(phone.logs_in("ada", lifecycle="loyal"), laptop.logs_in("ada"))
    await platform.shop.play(phone.withdraws().views())
    return platform


async def test_fields_that_nobody_knows_yet_change_nothing() -> None:
    today = await told(await Pipeline.ready())
    tomorrow = await Pipeline.ready()
    tomorrow.bus.write = widening(tomorrow.bus.write)  # type: ignore[method-assign]
    await told(tomorrow)

    assert tomorrow.dead_letters() == []
    assert tomorrow.state() == today.state()
    assert tomorrow.ids() == today.ids()
    assert all(b"invented_later" in (record.value or b"") for record in tomorrow.records())
