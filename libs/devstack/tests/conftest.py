"""One stack of each kind for all tests of a worker, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cdp_devstack.servers import Kind, Stack

KINDS = [
    pytest.param("embedded", marks=pytest.mark.wire),
    pytest.param("local", marks=pytest.mark.stack),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(scope="session")
def stacks() -> Iterator[dict[Kind, Stack]]:
    started: dict[Kind, Stack] = {}
    yield started
    for stack in started.values():
        stack.stop()


@pytest.fixture
def stack(kind: Kind, stacks: dict[Kind, Stack]) -> Stack:
    if kind not in stacks:
        stacks[kind] = Stack.start(kind)
    return stacks[kind]
