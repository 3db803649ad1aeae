"""What is read at once may be read in any order: an entity is never older than a pointer that leads to it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from cdp_identity.store import IdentityGraph, MemoryGraphStore
from cdp_identity.store.view import side_by_side
from identity_builders import Sightings


@pytest.mark.parametrize("entities_first", [True, False])
async def test_a_merge_between_two_reads_is_told_by_who_read_over_it(entities_first: bool) -> None:
    see, store = Sightings(), MemoryGraphStore()
    login = [see("d1"), see("d2"), see("d1", "d2")]
    meanwhile: list[Any] = []

    async def interrupted(*actions: Coroutine[Any, Any, Any]) -> list[Any]:
        order = (1, 0) if entities_first else (0, 1)
        first = await actions[order[0]]
        meanwhile.append(await IdentityGraph(store).resolve(login[2:]))
        second = await actions[order[1]]
        return [second, first] if entities_first else [first, second]

    mine = IdentityGraph(store, beside=interrupted)
    await mine.resolve(login[:1])
    await IdentityGraph(store).resolve(login[1:2])
    (told,) = await mine.resolve(login[2:])
    assert meanwhile == [[told]]
    assert len(told.merges) == 1


async def test_what_is_done_at_once_has_ended_before_a_failure_is_raised() -> None:
    ended = []

    async def ends() -> None:
        ended.append(True)

    async def fails() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await side_by_side(fails(), ends())
    assert ended
    assert list(await side_by_side(ends(), ends())) == [None, None]
