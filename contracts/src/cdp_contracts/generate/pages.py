"""`contracts/topic-graph.md` and `contracts/readers-and-writers.md`: the registry for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from cdp_contracts.envelope import Contract
from cdp_contracts.topics import (
    DEAD_LETTER_HOURS,
    DEAD_LETTER_READERS,
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
    IDENTITIES_MERGED,
    MEMBERSHIP_CHANGED,
    OUTSIDERS,
    PROFILES_UPDATED,
    TOPICS,
    Topic,
    dead_letter_topics,
    roles_reading,
)

GRAPH_PATH: Final = "contracts/topic-graph.md"
TABLE_PATH: Final = "contracts/readers-and-writers.md"
WAY: Final = (
    EVENTS_RECEIVED, EVENTS_REJECTED, EVENTS_VALIDATED, EVENTS_WITHHELD, EVENTS_PERMITTED, EVENTS_RESOLVED,
    IDENTITIES_MERGED, PROFILES_UPDATED, MEMBERSHIP_CHANGED,
)  # fmt: skip
WATCHERS: Final = ("collector-receipts", "identity-matcher", "profiles-historian", "segments-sender")
NOTICE: Final = "<!-- Generated from the topic registry by `python -m cdp_contracts.generate`: do not edit. -->\n"


def graph_text() -> str:
    """A Mermaid graph: who writes which topic and who reads it."""
    streams = [topic for topic in TOPICS if not topic.name.endswith(".defined.v1")]
    definitions = [topic for topic in TOPICS if topic not in streams]
    return "\n".join([
        NOTICE, "# The topic graph", "",
        "Boxes are roles, rounded ones stand outside; cylinders are topics (`cdp.` and `.v1` left out).", "",
        "## The way of an event", "", *flowchart(WAY, beside=WATCHERS), "",
        "## Everything but definitions", "", *flowchart(streams), "",
        "## Definitions", "", *flowchart(definitions), "",
    ])  # fmt: skip


def flowchart(topics: Iterable[Topic[Contract]], beside: Collection[str] = ()) -> Iterator[str]:
    """One graph of these topics, without the consumers that stand beside."""
    topics = [replace(t, consumers=tuple(role for role in t.consumers if role not in beside)) for t in topics]
    roles = dict.fromkeys(role for topic in topics for role in (*topic.producers, *topic.consumers))
    yield "```mermaid"
    yield "flowchart LR"
    for role in roles:
        yield f'  {node(role)}(["{role}"])' if role in OUTSIDERS else f'  {node(role)}["{role}"]'
    for topic in topics:
        yield f'  {node(topic.name)}[("{short(topic.name)}")]'
    for topic in topics:
        yield from (f"  {node(role)} --> {node(topic.name)}" for role in topic.producers)
        yield from (f"  {node(topic.name)} --> {node(role)}" for role in topic.consumers)
    yield "```"


def node(name: str) -> str:
    """A name that Mermaid takes for an id."""
    return name.replace(".", "_").replace("-", "_")


def short(topic_name: str) -> str:
    """A topic's name without what all of them share."""
    return topic_name.removeprefix("cdp.").removesuffix(".v1")


def table_text() -> str:
    """Who writes and who reads every topic, who answers for it, how long it is kept."""
    lines = [
        NOTICE, "# Readers and writers", "",
        "| topic | holds | written by | read by | owner | key | keep | personal | on poison |",
        "|---|---|---|---|---|---|---|---|---|",
        *(row(topic) for topic in TOPICS), "",
        "## Dead letters", "",
        f"Kept for {DEAD_LETTER_HOURS // 24} days, read by {' and '.join(DEAD_LETTER_READERS)}; tables: none.", "",
        *(f"- `{name}`" for name in dead_letter_topics()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def row(topic: Topic[Contract]) -> str:
    """One topic as a line of the table."""
    cells = (
        f"[`{topic.name}`](schemas/{topic.name}.json)", topic.description,
        ", ".join(topic.producers), ", ".join(topic.consumers), topic.owner,
        f"`{topic.key}`" if topic.key else "any", kept(topic),
        "yes" if topic.personal else "no", poison(topic),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def poison(topic: Topic[Contract]) -> str:
    """What a reader of ours does with bytes that are no message."""
    if topic.on_poison == "halt":
        return "halt"
    if not roles_reading(topic):
        return "the reader's choice"
    return "keep the last good one" if topic.table else "dead letter"


def kept(topic: Topic[Contract]) -> str:
    """How long messages stay, in words."""
    if not topic.compacted:
        return f"{(topic.retention_hours or 0) // 24} d"
    lag = topic.min_compaction_lag_hours // 24
    return f"compacted, lag {lag} d" if lag else "compacted"
