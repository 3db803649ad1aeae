"""The load trials in small, on one platform: what each says of itself holds. Figures: `python -m tests.load`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import bson
import pytest
from bson.json_util import dumps
from cdp_consent.domain.ledger import verify
from cdp_consent.store import SubjectRecord
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    PROFILES_UPDATED,
)
from cdp_devstack.running import Running
from cdp_runtime.records import restored

from infra.generate.capacity import Measured, lines
from tests.bench import sizes
from tests.load.crowd import Names, Stencil, device_of, documents_of, known_as, names_of
from tests.load.ocean import ocean
from tests.load.scenarios import SCENARIOS
from tests.load.soak import soak
from tests.load.traffic import event, put, views_of
from tests.load.watching import settled

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300), pytest.mark.xdist_group("load")]

EVENTS = {"hotkey": 2_000, "bot": 1_000, "slow-store": 1_000, "backlog": 2_000, "full-disk": 5_000}
MOST_MEGABYTES = 300
PASSING = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}|20\d\d-\d\d-\d\dT[\d:.]+Z|1\d{9}\.\d+|1[78]\d{11,14}"
    r'|"base64": "[^"]+"'
)
"""Ids of messages, seals, times and what holds times, when the name of the profile is masked already."""


async def seen(up: Running, crowd: str, size: int) -> list[str]:
    """Devices that come as everybody comes, at once."""
    devices = [device_of(crowd, n) for n in range(size)]
    await put(up, [{**event(device), "messageId": f"first-of-{device}"} for device in devices])
    await settled(up)
    return devices


async def test_copies_are_what_the_services_write(up: Running) -> None:
    first, *others = await seen(up, f"real-{uuid4().hex[:8]}", 3)
    stencil = Stencil.of(up.stack.mongo, first)
    assert {database for database, _ in stencil.documents} == {
        "cdp_consent", "cdp_identity", "cdp_profiles", "cdp_segments",
    }  # fmt: skip
    for device in others:
        names = known_as(up.stack.mongo, device)
        written = documents_of(up.stack.mongo, names)
        assert written.keys() == stencil.documents.keys()
        for place, documents in written.items():
            assert masked(stencil.copies(place, names), names) == masked(documents, names), place
    await chain_holds(stencil, others[0])


async def chain_holds(stencil: Stencil, device: str) -> None:
    names = Names(device, stencil.names.pseudonym[::-1], stencil.names.profile_id)
    (state,) = stencil.copies(("cdp_consent", "states"), names)
    record = restored(SubjectRecord, names.pseudonym, bson.decode(state), "states")
    assert verify(record.tail, record.subject) is None


def masked(documents: Iterable[bytes], names: Names) -> list[str]:
    """Documents as text, but for what differs between any two messages."""
    return sorted(
        PASSING.sub("…", dumps(positionless(bson.decode(d))).replace(names.profile_id, "ID")) for d in documents
    )


def positionless(document: dict[str, Any]) -> dict[str, Any]:
    """Without the offset at which a message stood."""
    told = [[cause, partition, *rest] for cause, partition, _, *rest in document.get("told", ())]
    return {**document, "told": told}


async def test_the_services_know_those_who_were_put_there(up: Running) -> None:
    crowd, people, events = f"ocean-{uuid4().hex[:8]}", 200, 2_000
    await ocean(up, events, people, 0.15, crowd)
    await settled(up)
    assert known_as(up.stack.mongo, device_of(crowd, 7)) == names_of(crowd, 7)
    assert sum([await views_of(up, device_of(crowd, n)) for n in range(people)]) == people + events


async def test_a_soak_in_small(up: Running) -> None:
    figures = await soak(up, 50, 0.1)
    assert figures["events sent"] == 300
    assert figures["memberships ended by the clock"] == 3


@pytest.mark.parametrize("trial", EVENTS)
async def test_it_is_borne_and_memory_is_bounded(up: Running, trial: str) -> None:
    figures = await SCENARIOS[trial](up, EVENTS[trial])
    assert [name for name in up.platform.roles if figures.get(name, 0) > MOST_MEGABYTES] == []


async def test_what_is_kept_of_events_is_measured_for_the_capacity_page(up: Running) -> None:
    measured = [Measured(row.name, row.ours, row.unit, cores=1) for row in await sizes.rows(up)]
    told = dict(lines(measured))
    for topic in (EVENTS_RECEIVED, EVENTS_VALIDATED, EVENTS_PERMITTED, EVENTS_RESOLVED, PROFILES_UPDATED):
        assert 10 < float(told[f"{topic.name} at 1,000/s"].removesuffix(" GB a day")) < 300
    assert "a million profiles" in told
