"""Definitions are checked as a whole before any is written, and a fault names file, place and rule."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from cdp_cli import definitions
from cdp_contracts.definitions_v1 import SegmentDefined
from cdp_contracts.topics import SEGMENTS_DEFINED
from cdp_runtime.transport import Incoming, Outgoing
from cdp_testkit import LocalBus

REPOSITORY = Path(__file__).parents[3]
SEGMENT = """
tenant: demo
name: vip
title: VIP
when: {kind: count, event: Order Completed, op: ">=", n: 3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "vip.yaml").write_text(SEGMENT)
    return tmp_path


class BusProducer:
    """The producer port on the bus."""

    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus

    async def send(self, records: list[Outgoing]) -> None:
        for record in records:
            self._bus.write(record)


def test_the_definitions_of_this_repository_are_good() -> None:
    loaded = definitions.load(REPOSITORY / "infra" / "definitions")
    assert {one.topic.name.split(".")[1] for one in loaded} == {
        "sources",
        "tracking-plans",
        "policies",
        "identity-rules",
        "segments",
    }


async def test_they_are_written_under_their_id(folder: Path) -> None:
    bus = LocalBus()
    await definitions.apply(definitions.load(folder), BusProducer(bus))
    (record,) = bus.raw(SEGMENTS_DEFINED.name)
    (message,) = bus.messages(SEGMENTS_DEFINED)
    assert record.key == b"demo/vip"
    assert message.when.kind == "count"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (SEGMENT.replace("op:", "opp:"), "when/count/opp: Extra inputs are not permitted"),
        (SEGMENT.replace("n: 3", "n: -1"), "when/count/n: Input should be greater than or equal to 0"),
        (SEGMENT.replace("name: vip", "name: VIP!"), "name: String should match pattern"),
        (SEGMENT.replace("title: VIP", ""), "title: Field required"),
        ("tenant: [", "not YAML"),
        ("just words", "(the whole file): Input should be a valid dictionary"),
        ("\xff", "not YAML"),
    ],
)
def test_a_bad_file_is_named_with_place_and_rule(folder: Path, text: str, fault: str) -> None:
    bad = folder / "segments" / "bad.yaml"
    bad.write_bytes(text.encode("latin-1"))
    with pytest.raises(definitions.BadDefinition) as failure:
        definitions.load(folder)
    assert str(failure.value).startswith(f"{bad}: ")
    assert fault in str(failure.value)


def test_all_faults_are_told_at_once(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / "segments" / f"{name}.yaml").write_text("tenant: demo")
    with pytest.raises(definitions.BadDefinition) as failure:
        definitions.load(folder)
    assert {line.split(": ")[0] for line in str(failure.value).splitlines()} == {
        str(folder / "segments" / f"{name}.yaml") for name in ("a", "b")
    }


def test_two_files_must_not_define_the_same(folder: Path) -> None:
    (folder / "segments" / "again.yaml").write_text(SEGMENT)
    with pytest.raises(definitions.BadDefinition, match=r"demo/vip is defined in .*again\.yaml already"):
        definitions.load(folder)


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(definitions.BadDefinition, match="no definitions below"):
        definitions.load(tmp_path)


def refers(name: str, to: str) -> str:
    when = f"{{kind: not, of: {{kind: and, of: [{{kind: in_segment, segment: {to}}}]}}}}"
    return f"tenant: demo\nname: {name}\ntitle: A segment\nwhen: {when}\n"


@pytest.mark.parametrize("names", ["aa", "aba", "abca"])
def test_segments_in_a_circle_are_refused(folder: Path, names: str) -> None:
    for name, to in pairwise(names):
        (folder / "segments" / f"{name}.yaml").write_text(refers(name, to))
    with pytest.raises(definitions.BadDefinition, match=r"when: a circle of segments: demo/[abc] -> ") as refused:
        definitions.load(folder)
    path = str(refused.value).partition("segments: ")[2].replace("demo/", "").split(" -> ")
    assert all(pair in set(pairwise(names)) for pair in pairwise(path))


def test_segments_may_refer_to_each_other_and_to_others(folder: Path) -> None:
    for name, to in [("a", "b"), ("b", "vip"), ("c", "b"), ("d", "elsewhere")]:
        (folder / "segments" / f"{name}.yaml").write_text(refers(name, to))
    assert len(definitions.load(folder)) == 5


@pytest.fixture
async def applied(folder: Path) -> LocalBus:
    """A broker on which `a` is in force, which refers to `b`."""
    (folder / "segments" / "a.yaml").write_text(refers("a", "b"))
    bus = LocalBus()
    await definitions.apply(definitions.load(folder), BusProducer(bus))
    (folder / "segments" / "a.yaml").unlink()
    return bus


async def in_force(bus: LocalBus) -> list[SegmentDefined]:
    async def read() -> AsyncIterator[Incoming]:
        for record in bus.raw(SEGMENTS_DEFINED.name):
            yield record

    return await definitions.segments_in_force(read())


async def test_a_circle_with_segments_of_an_earlier_run_is_refused(folder: Path, applied: LocalBus) -> None:
    (folder / "segments" / "b.yaml").write_text(refers("b", "a"))
    before = len(applied.raw(SEGMENTS_DEFINED.name))
    with pytest.raises(definitions.BadDefinition, match=r"b\.yaml: when: .* demo/b -> demo/a -> demo/b"):
        await definitions.apply(definitions.load(folder), BusProducer(applied), await in_force(applied))
    assert len(applied.raw(SEGMENTS_DEFINED.name)) == before, "nothing is written"


@pytest.mark.parametrize("archived", [True, False])
async def test_what_is_no_longer_in_force_makes_no_circle(
    folder: Path, applied: LocalBus, *, archived: bool
) -> None:
    """Archived, or removed by a null value."""
    ended = json.dumps(yaml.safe_load(refers("a", "b")) | {"state": "archived"}).encode()
    applied.publish_raw(SEGMENTS_DEFINED.name, ended if archived else None, b"demo/a")
    (folder / "segments" / "b.yaml").write_text(refers("b", "a"))
    await definitions.apply(definitions.load(folder), BusProducer(applied), await in_force(applied))


async def test_a_run_may_open_a_circle_that_another_run_would_close(folder: Path, applied: LocalBus) -> None:
    """The file that is applied counts, not what it replaces."""
    (folder / "segments" / "a.yaml").write_text(refers("a", "vip"))
    (folder / "segments" / "b.yaml").write_text(refers("b", "a"))
    await definitions.apply(definitions.load(folder), BusProducer(applied), await in_force(applied))
    assert {one.id for one in await in_force(applied)} == {"demo/a", "demo/b", "demo/vip"}


async def test_another_tenants_segments_make_no_circle(folder: Path, applied: LocalBus) -> None:
    (folder / "segments" / "b.yaml").write_text(refers("b", "a").replace("tenant: demo", "tenant: other"))
    await definitions.apply(definitions.load(folder), BusProducer(applied), await in_force(applied))
