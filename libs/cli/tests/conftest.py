"""Dead letters on a bus of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cdp_cli.settling import Settling
from cdp_runtime.clock import ManualClock
from cdp_testkit import LocalBus

sys.path.append(str(Path(__file__).parent))

from letter_world import NOON, BusProducer, overtaking


@pytest.fixture
def bus() -> LocalBus:
    return LocalBus(ManualClock(NOON))


@pytest.fixture
def producer(bus: LocalBus) -> BusProducer:
    return BusProducer(bus)


@pytest.fixture
def settling(bus: LocalBus, producer: BusProducer) -> Settling:
    return Settling(producer, bus.clock, "ann", "a fault that was mended", overtaking(bus))
