"""Makes the builders beside it importable, and starts a store for those tests that need one."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from cdp_consent.store import ConsentStore, MemoryConsentStore, MongoConsentStore
from cdp_devstack.servers import Stack
from cdp_runtime.settings import MongoSettings

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def mongo_url() -> Iterator[Callable[[], str]]:
    """Where the embedded server is; started by the first test that asks."""
    started: list[Stack] = []

    def url() -> str:
        if not started:
            started.append(Stack.start("embedded", only=("mongo",)))
        return started[0].mongo

    yield url
    for stack in started:
        stack.stop()


@pytest.fixture
def mongo_settings(mongo_url: Callable[[], str]) -> MongoSettings:
    """A database of the test's own."""
    return MongoSettings(url=mongo_url(), database_prefix=f"t{uuid4().hex[:12]}")


@pytest.fixture
async def mongo_store(mongo_settings: MongoSettings) -> AsyncIterator[MongoConsentStore]:
    """The real store."""
    store = MongoConsentStore(mongo_settings)
    yield store
    await store.close()


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.wire)])
def store(request: pytest.FixtureRequest) -> ConsentStore:
    """Either store: one suite holds both."""
    if request.param == "memory":
        return MemoryConsentStore()
    real: ConsentStore = request.getfixturevalue("mongo_store")
    return real
