"""Hot keys, a bot, a slow store and a full disk, each small; `python -m tests.load` takes any size."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from cdp_devstack.running import Running, running

from tests.load.scenarios import bot, full_disk, hotkey, slow_store

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400), pytest.mark.xdist_group("pressure")]

MEGABYTES = 300
RECORD_BYTES = 512 * 1024
"""For 2,000 messages in a moment. A record remembers at most 10,000, so it grows to about five times as much."""
SLOWEST_OTHER_MS = 15_000
ROLES = ("collector-http", "collector-validator", "identity-resolver", "profiles-writer", "segments-evaluator")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform for these tests, which follow one another on it."""
    with running("local", tmp_path_factory.mktemp("pressure")) as platform:
        yield platform


def test_a_key_with_half_of_the_traffic_is_counted_and_stays_small(up: Running) -> None:
    figures = asyncio.run(hotkey(up, 2_000))
    assert max(figures[role] for role in ROLES) < MEGABYTES
    assert max(figures[f"largest record of {s}, bytes"] for s in ("profiles", "segments")) < RECORD_BYTES


def test_a_bot_does_not_hold_up_the_others_nor_make_its_record_large(up: Running) -> None:
    figures = asyncio.run(bot(up, 2_000))
    assert figures["bot's events a minute"] > 5_000
    assert figures["others, beside it, p95 ms"] < SLOWEST_OTHER_MS
    assert max(figures[f"largest record of {s}, bytes"] for s in ("profiles", "segments")) < RECORD_BYTES


def test_a_slow_store_holds_up_its_own_role_only_and_costs_nothing(up: Running) -> None:
    figures = asyncio.run(slow_store(up, 500))
    assert max(figures[role] for role in ROLES) < MEGABYTES


def test_a_full_disk_is_answered_with_503_and_loses_nothing_that_was_acknowledged(up: Running) -> None:
    figures = asyncio.run(full_disk(up, 20_000))
    assert figures["lost"] == 0
