"""A pepper that somebody forgot makes a process wait, not forget."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from cdp_devstack.servers import Stack
from cdp_runtime.failures import Away, UnknownPepper, reason_of
from cdp_runtime.peppers import note_pepper
from cdp_runtime.pseudonyms import Pseudonymizer
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

OLD, NEW = b"the pepper of last year", b"the pepper of this year"

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Stack.start("embedded", only=("mongo",)) as stack:
        yield stack.mongo


@pytest.fixture
async def database(url: str, request: pytest.FixtureRequest) -> AsyncIterator[AsyncIOMotorDatabase[Any]]:
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(url)
    yield client[request.node.name[:40]]
    client.close()


async def test_a_pepper_may_be_changed_if_the_one_before_is_still_known(
    database: AsyncIOMotorDatabase[Any],
) -> None:
    for pseudonyms in (Pseudonymizer(OLD), Pseudonymizer(NEW, [OLD]), Pseudonymizer(NEW, [OLD])):
        await note_pepper(database, pseudonyms)
    await note_pepper(database, Pseudonymizer(OLD, [NEW]))  # and back


async def test_who_does_not_know_all_peppers_waits(database: AsyncIOMotorDatabase[Any]) -> None:
    await note_pepper(database, Pseudonymizer(OLD))
    with pytest.raises(UnknownPepper, match=Pseudonymizer(OLD).version) as told:
        await note_pepper(database, Pseudonymizer(NEW))
    assert isinstance(told.value, Away)
    assert "CDP_FORMER_PEPPERS" in reason_of(told.value)
    assert OLD.decode() not in str(told.value)
    await note_pepper(database, Pseudonymizer(OLD))  # nothing was noted
