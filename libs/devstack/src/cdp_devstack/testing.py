"""A pytest plugin: the whole platform, running, for the tests that need one.

Starting it takes a good part of a minute, so it is started once a worker, and all tests that use it go to the
same worker (`--dist loadgroup`). They share it: each test uses ids of its own, and leaves every role running.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from cdp_devstack.running import Running, running

SHARED: Final = ("live", "local")
PATIENCE_SECONDS: Final = 300


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The platform on embedded servers."""
    with running("embedded", tmp_path_factory.mktemp("live")) as up:
        yield up


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The platform on Apache Kafka, a Mongo-wire server and redis-server."""
    with running("local", tmp_path_factory.mktemp("local")) as up:
        yield up


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send the tests that share a platform to one worker; whichever comes first waits for it to start."""
    for item in items:
        for name in SHARED:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(name))
                item.add_marker(pytest.mark.timeout(PATIENCE_SECONDS))
