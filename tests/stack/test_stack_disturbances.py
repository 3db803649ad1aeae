"""Roles and servers come to harm while a clickstream is replayed; what is left must be the same as without."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from endstate import EndState
from shop import Disturbance, Shop, away, opened

OUTAGE_SECONDS = float(os.environ.get("TESSERA_OUTAGE_SECONDS", "5"))
VICTIMS = (
    "collector-http", "collector-validator", "consent-gate", "identity-resolver", "profiles-writer",
    "segments-evaluator",
)  # fmt: skip

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
one_worker = pytest.mark.xdist_group("disturbed-1")
other_worker = pytest.mark.xdist_group("disturbed-2")

Baseline = Callable[[], EndState]


def seeded(shop: Shop, seed: int) -> dict[int, Disturbance]:
    """Every role is killed once, in an order and at moments that the seed decides."""
    rng = Random(seed)
    roles = rng.sample(VICTIMS, len(VICTIMS))
    moments = sorted(rng.sample(range(shop.calls // 20, shop.calls - shop.calls // 20), len(roles)))
    return {moment: shop.killed(role) for moment, role in zip(moments, roles, strict=True)}


def held(shop: Shop, baseline: Baseline) -> None:
    """The end state is the undisturbed one, and a second replay leaves it alone."""
    found = shop.end_state()
    same(found, baseline())
    shop.replay()
    same(shop.end_state(), found)


def same(found: EndState, wanted: EndState) -> None:
    """Part by part, so that a failure says where; of the people, those that differ."""
    assert found.received == wanted.received
    assert found.rejected == wanted.rejected
    assert found.withheld == wanted.withheld
    assert found.resolved == wanted.resolved
    names = sorted({*found.people, *wanted.people})
    differing = [n for n in names if found.people.get(n) != wanted.people.get(n)]
    assert [(n, found.people.get(n), wanted.people.get(n)) for n in differing] == []
    assert found.consents == wanted.consents
    assert found.sizes == wanted.sizes


@one_worker
def test_undisturbed_the_sizes_are_those_of_the_file(baseline: Baseline) -> None:
    assert all(baseline().sizes.values())


@one_worker
def test_every_role_killed_in_turn(tmp_path: Path, baseline: Baseline) -> None:
    with opened(tmp_path) as shop:
        shop.replay(seeded(shop, 1))
        held(shop, baseline)


@other_worker
def test_every_role_killed_in_another_turn(tmp_path: Path, baseline: Baseline) -> None:
    with opened(tmp_path) as shop:
        shop.replay(seeded(shop, 2))
        held(shop, baseline)


@one_worker
def test_mongodb_stopped_and_started_again(tmp_path: Path, baseline: Baseline) -> None:
    with opened(tmp_path) as shop:
        shop.replay({shop.calls // 2: away(shop.up.stack.mongo_server, OUTAGE_SECONDS)})
        held(shop, baseline)


@other_worker
def test_kafka_stopped_and_started_again(tmp_path: Path, baseline: Baseline) -> None:
    with opened(tmp_path) as shop:
        shop.replay({shop.calls // 2: away(shop.up.stack.kafka_server, OUTAGE_SECONDS)})
        held(shop, baseline)


@other_worker
def test_redis_flushed_half_way(tmp_path: Path, baseline: Baseline) -> None:
    with opened(tmp_path) as shop:
        shop.replay({shop.calls // 2: shop.flushed()})
        same(shop.end_state(), baseline())
