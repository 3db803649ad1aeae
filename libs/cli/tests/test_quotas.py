"""What one tenant may not ask of the evaluator."""

from __future__ import annotations

from pathlib import Path

import pytest
from cdp_cli import definitions, quotas
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.topics import SEGMENTS_DEFINED

VIEWED = {"kind": "count", "event": "view"}


class Nowhere:
    """Takes no records."""

    async def send(self, records: object) -> None:
        raise AssertionError

    async def ping(self) -> None:
        """It is there."""


def segment(name: str = "s", state: str = "live", when: object = None) -> SegmentDefined:
    fields = {"tenant": "demo", "name": name, "title": name, "state": state, "when": when or VIEWED}
    return SegmentDefined.model_validate(fields)


def nested(depth: int) -> object:
    return VIEWED if depth == 1 else {"kind": "not", "of": nested(depth - 1)}


def loaded(one: SegmentDefined) -> definitions.Loaded:
    return definitions.Loaded(Path("segments/s.yaml"), SEGMENTS_DEFINED, one)


@pytest.mark.parametrize(
    ("when", "refused"),
    [
        ({"kind": "or", "of": [VIEWED] * 256}, []),
        ({"kind": "or", "of": [VIEWED] * 257}, ["when: 257 conditions, and at most 256 may be joined"]),
        (nested(32), []),
        (nested(33), ["when: conditions are nested 33 deep, and at most 32 may be"]),
    ],
)
def test_a_condition_may_not_be_too_large(when: object, refused: list[str]) -> None:
    assert list(quotas.of_segment(segment(when=when))) == refused
    assert list(quotas.of_segment(segment(when=when, state="archived"))) == []


async def test_a_tenant_may_not_have_too_many_segments_and_nothing_is_written() -> None:
    there = [segment(f"s{n}") for n in range(quotas.SEGMENTS)]
    assert list(definitions.excesses([loaded(segment("s7"))], there)) == []
    with pytest.raises(definitions.BadDefinition, match="1001 segments, and at most 1000 may be"):
        await definitions.apply([loaded(segment("one-more"))], Nowhere(), there)
    assert list(definitions.excesses([loaded(segment("one-more", "archived"))], there)) == []
