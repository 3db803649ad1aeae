"""Definitions as tables."""

from __future__ import annotations

import pytest
from cdp_contracts.definitions_v1 import SourceDefined
from cdp_contracts.topics import SOURCES_DEFINED
from cdp_runtime.tables import GlobalTable
from cdp_testkit import LocalBus


def source(name: str = "web", owner: str = "web-team") -> SourceDefined:
    return SourceDefined(tenant="demo", name=name, write_key_hashes=(), owner=owner)


def refuse_nobody(definition: SourceDefined) -> str:
    if definition.owner == "nobody":
        raise ValueError("a source needs an owner")
    return definition.owner


async def test_it_holds_the_latest_of_each_key() -> None:
    bus, table = LocalBus(), GlobalTable(SOURCES_DEFINED, refuse_nobody)
    await bus.publish(SOURCES_DEFINED, source(), source(owner="new-team"))
    bus.attach("tests-worker", [], [table])
    await bus.publish(SOURCES_DEFINED, source("app", "app-team"))
    assert dict(table.items()) == {"demo/web": "new-team", "demo/app": "app-team"}


@pytest.mark.parametrize("bad", [b"?", b"{}", source(owner="nobody").model_dump_json().encode()])
async def test_a_bad_definition_leaves_the_last_good_one_in_force(bad: bytes) -> None:
    bus, table = LocalBus(), GlobalTable(SOURCES_DEFINED, refuse_nobody)
    bus.attach("tests-worker", [], [table])
    await bus.publish(SOURCES_DEFINED, source())
    bus.publish_raw(SOURCES_DEFINED.name, bad, b"demo/web")
    assert table.get("demo/web") == "web-team"


async def test_a_tombstone_removes_a_definition() -> None:
    bus, table = LocalBus(), GlobalTable.plain(SOURCES_DEFINED)
    bus.attach("tests-worker", [], [table])
    await bus.publish(SOURCES_DEFINED, source())
    bus.publish_raw(SOURCES_DEFINED.name, None, b"demo/web")
    assert table.get("demo/web") is None


async def test_an_empty_table_that_is_required_is_not_ready() -> None:
    bus, table = LocalBus(), GlobalTable.plain(SOURCES_DEFINED, required=True)
    bus.attach("tests-worker", [], [table])
    assert not table.ready
    await bus.publish(SOURCES_DEFINED, source())
    assert table.ready


async def test_listeners_hear_of_each_change() -> None:
    bus, table = LocalBus(), GlobalTable.plain(SOURCES_DEFINED)
    heard: list[str] = []
    table.on_change(heard.append)
    bus.attach("tests-worker", [], [table])
    await bus.publish(SOURCES_DEFINED, source(), source("app"))
    assert heard == ["demo/web", "demo/app"]
