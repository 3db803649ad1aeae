"""The undisturbed replay that every other one is held against; computed once, by whichever worker asks first."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "wire"))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from endstate import EndState
from shop import Shop, opened


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], EndState]:
    """What the replay leaves behind when nothing goes wrong."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if own.name.startswith("popen-") else own
    kept = shared / "undisturbed.json"

    def computed() -> EndState:
        with (shared / "undisturbed.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                with opened(tmp_path_factory.mktemp("undisturbed")) as shop:
                    kept.write_text(undisturbed(shop).model_dump_json())
        return EndState.model_validate_json(kept.read_text())

    return computed


def undisturbed(shop: Shop) -> EndState:
    """The end state of one replay, once it has been held against the file and against a second replay."""
    shop.replay()
    first = shop.end_state()
    assert first.sizes == shop.expected_sizes()
    assert set(first.people) == shop.expected_people()
    assert first.received == shop.ids()
    shop.replay()
    assert shop.end_state() == first
    return first
