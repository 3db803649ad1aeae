"""A pytest plugin: the whole platform, running, for the tests that need one.

Starting it takes a good part of a minute, so it is started once a worker, and all tests that use it go to the
same worker (`--dist loadgroup`). They share it: each test uses ids of its own, and leaves every role running.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from cdp_devstack.running import Running, running

SHARED: Final = "live"
PATIENCE_SECONDS: Final = 300

# How long it takes to draw an example says something about the machine, not about the code.
settings.register_profile("tessera", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tessera")


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The platform on embedded servers."""
    with running("embedded", tmp_path_factory.mktemp("live")) as up:
        yield up


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send the tests that share a platform to one worker; whichever comes first waits for it to start."""
    for item in items:
        if SHARED in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(SHARED))
            item.add_marker(pytest.mark.timeout(PATIENCE_SECONDS))
