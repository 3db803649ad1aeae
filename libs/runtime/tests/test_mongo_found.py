"""Documents by their ids: a request that fails leaves no other behind it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cdp_runtime.mongo import PIECE, found
from pymongo.errors import NetworkTimeout


class Answering:
    """A collection whose requests end when they are told to; the first one fails at once."""

    def __init__(self) -> None:
        self.asked = 0
        self.ended = 0
        self.go_on = asyncio.Event()

    def find(self, query: dict[str, Any], fields: dict[str, int] | None) -> Answering:
        return self

    async def to_list(self, length: int | None) -> list[dict[str, Any]]:
        self.asked += 1
        if self.asked == 1:
            raise NetworkTimeout("timed out")
        await self.go_on.wait()
        self.ended += 1
        return []


async def test_a_failure_is_told_once_no_other_request_is_on_its_way() -> None:
    collection: Any = Answering()
    asking = asyncio.create_task(found(collection, [str(n) for n in range(3 * PIECE)]))
    while collection.asked < 3 and not asking.done():
        await asyncio.sleep(0)
    assert not asking.done()
    collection.go_on.set()
    with pytest.raises(NetworkTimeout):
        await asking
    assert collection.ended == 2
