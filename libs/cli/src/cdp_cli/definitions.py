"""YAML definitions: read, checked with errors that name the place, and written as messages."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import yaml
from cdp_contracts.definitions_v1 import Definition, SegmentDefined
from cdp_contracts.topics import (
    COMPUTED_TRAITS_DEFINED,
    DESTINATIONS_DEFINED,
    IDENTITY_RULES_DEFINED,
    POLICIES_DEFINED,
    SEGMENT_VIEWS_DEFINED,
    SEGMENTS_DEFINED,
    SOURCES_DEFINED,
    TRACKING_PLANS_DEFINED,
    Topic,
)
from cdp_runtime.codec import encode
from cdp_runtime.tables import GlobalTable
from cdp_runtime.transport import Incoming, Producer
from pydantic import JsonValue, ValidationError

from cdp_cli import quotas

KINDS: Final[dict[str, Topic[Definition]]] = {
    "sources": SOURCES_DEFINED,
    "tracking-plans": TRACKING_PLANS_DEFINED,
    "policies": POLICIES_DEFINED,
    "identity-rules": IDENTITY_RULES_DEFINED,
    "segments": SEGMENTS_DEFINED,
    "computed-traits": COMPUTED_TRAITS_DEFINED,
    "destinations": DESTINATIONS_DEFINED,
    "segment-views": SEGMENT_VIEWS_DEFINED,
}


class BadDefinition(ValueError):  # noqa: N818
    """A file that is no definition. The text names file, place and rule."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A definition, where it came from, and the topic it belongs on."""

    file: Path
    topic: Topic[Definition]
    definition: Definition


def load(folder: Path) -> list[Loaded]:
    """Every definition below `<folder>/<kind>/`; BadDefinition with all faults found if any is bad."""
    loaded: list[Loaded] = []
    faults: list[str] = []
    for file in sorted(files(folder)):
        try:
            loaded.append(read(file))
        except BadDefinition as fault:
            faults.append(str(fault))
    faults.extend(clashes(loaded))
    faults.extend(circles(loaded))
    if faults:
        raise BadDefinition("\n".join(faults))
    if not loaded:
        raise BadDefinition(f"{folder}: no definitions below {', '.join(KINDS)}")
    return loaded


def files(folder: Path) -> Iterator[Path]:
    """Every YAML file in a folder of a known kind."""
    for kind in KINDS:
        yield from (folder / kind).glob("*.yaml")


def read(file: Path, topic: Topic[Definition] | None = None) -> Loaded:
    """One file; its folder says what it defines if nobody does. A field that the definition lacks is a fault."""
    topic = topic or KINDS[file.parent.name]
    try:
        definition = topic.model.model_validate(yaml.safe_load(file.read_text()), extra="forbid")
    except OSError as error:
        raise BadDefinition(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadDefinition(f"{file}: not YAML: {error}") from None
    except ValidationError as error:
        raise BadDefinition("\n".join(f"{file}: {fault}" for fault in explain(error))) from None
    return Loaded(file, topic, definition)


def explain(error: ValidationError) -> Iterator[str]:
    """Each fault as a place and a rule."""
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        place = "/".join(str(part) for part in fault["loc"]) or "(the whole file)"
        yield f"{place}: {fault['msg']}"


def clashes(loaded: Sequence[Loaded]) -> Iterator[str]:
    """Two files that define the same thing."""
    first: dict[tuple[str, str], Path] = {}
    for one in loaded:
        key = (one.topic.name, one.definition.id)
        if key in first:
            yield f"{one.file}: {one.definition.id} is defined in {first[key]} already"
        first.setdefault(key, one.file)


def circles(loaded: Sequence[Loaded], in_force: Sequence[SegmentDefined] = ()) -> Iterator[str]:
    """Segments that refer to each other in a circle, with those in force already: nobody could ever be in them.

    One line, for the first circle that a loaded segment is part of. Archived segments are in none.
    """
    mine = {one.definition.id: one for one in loaded if isinstance(one.definition, SegmentDefined)}
    after = {one.id: one for one in in_force} | {id_: one.definition for id_, one in mine.items()}
    graph = {
        id_: {f"{one.tenant}/{name}" for name in references(one.model_dump(mode="json"))}
        for id_, one in after.items()
        if isinstance(one, SegmentDefined) and one.state == "live"
    }
    for id_, one in mine.items():
        if circle := way_back(id_, graph):
            yield f"{one.file}: when: a circle of segments: {' -> '.join(circle)}"
            return


def excesses(loaded: Sequence[Loaded], in_force: Sequence[SegmentDefined] = ()) -> Iterator[str]:
    """Segments that ask for more than one segment, or one tenant with those in force, may."""
    mine = {one.definition.id: one.definition for one in loaded if isinstance(one.definition, SegmentDefined)}
    for one in loaded:
        if isinstance(one.definition, SegmentDefined):
            yield from (f"{one.file}: {excess}" for excess in quotas.of_segment(one.definition))
    if mine:
        yield from quotas.of_tenants({segment.id: segment for segment in in_force} | mine)


def way_back(start: str, graph: Mapping[str, set[str]]) -> list[str]:
    """The shortest way along the edges from a node to itself, both ends included; empty if there is none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for following in sorted(graph.get(way[-1], set()) - seen):
            if following == start:
                return [*way, start]
            seen.add(following)
            ways.append([*way, following])
    return []


async def segments_in_force(records: AsyncIterable[Incoming]) -> list[SegmentDefined]:
    """The segments that the records of their topic leave in force."""
    table = GlobalTable.plain(SEGMENTS_DEFINED)
    async for record in records:
        table.apply((record.key or b"").decode("utf-8", "replace"), record.value)
    return list(table.values())


def references(part: JsonValue) -> Iterator[str]:
    """The names of the segments that a condition refers to, wherever."""
    match part:
        case {"kind": "in_segment", "segment": str(name)}:
            yield name
        case dict():
            yield from (name for inner in part.values() for name in references(inner))
        case list():
            yield from (name for inner in part for name in references(inner))


async def apply(loaded: Sequence[Loaded], producer: Producer, in_force: Sequence[SegmentDefined] = ()) -> None:
    """Write all of them; the same definitions written again change nothing.

    BadDefinition, and nothing is written, if segments make a circle with those in force or ask for too much.
    """
    if faults := [*circles(loaded, in_force), *excesses(loaded, in_force)]:
        raise BadDefinition("\n".join(faults))
    now = datetime.now(UTC)
    await producer.send([encode(one.topic, one.definition, source="cdp-cli", now=now) for one in loaded])
