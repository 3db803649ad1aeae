"""Stands between a changed registry and the committed files: what breaks readers or writers is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cdp_contracts.compat import Judgement, Order, judge
from cdp_contracts.envelope import Contract
from cdp_contracts.generate.released import Released
from cdp_contracts.generate.schemas import schema_of
from cdp_contracts.topics import OUTSIDERS, Topic

AGREED = ("key", "partitions")


@dataclass(frozen=True, slots=True)
class Exceptions:
    """What a person has accepted by name: one-way changes with readers first, and topics that end."""

    readers_first: Collection[str] = ()
    retired: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about one topic. `refused`: nothing may be written."""

    topic: str
    lines: tuple[str, ...]
    refused: bool = False

    def __str__(self) -> str:
        first, *rest = self.lines
        mark = "REFUSED " if self.refused else ""
        return "\n".join([f"{mark}{self.topic}: {first}", *(f"    {line}" for line in rest)])


def findings(topics: Collection[Topic[Contract]], before: Released, exceptions: Exceptions) -> list[Finding]:
    """Everything that changes against what was released; nothing if it is all as it was."""
    found: list[Finding] = []
    for topic in topics:
        if topic.name in before.schemas:
            found.extend(schema_findings(topic, judge(before.schemas[topic.name], schema_of(topic)), exceptions))
            found.extend(agreement_findings(topic, before))
        else:
            found.append(Finding(topic.name, (f"new topic: {deploy(topic, Order.READERS)}",)))
    names = {topic.name for topic in topics}
    found.extend(gone(name, exceptions) for name in before.schemas if name not in names)
    return found


def schema_findings(topic: Topic[Contract], judgement: Judgement, exceptions: Exceptions) -> Iterator[Finding]:
    """What a change of a topic's schema means for those who deploy."""
    if judgement.same:
        return
    gaps = [f"the new reader meets old messages: {gap}" for gap in judgement.new_reads_old]
    gaps += [f"the old reader meets new messages: {gap}" for gap in judgement.old_reads_new]
    if judgement.compatible:
        yield Finding(topic.name, (f"compatible both ways: {deploy(topic, judgement.order)}",))
    elif why := refusal(topic, judgement.order, exceptions):
        yield Finding(topic.name, (f"breaking, {judgement.order}: {why}", *gaps), refused=True)
    else:
        yield Finding(topic.name, (f"one way, accepted by name: {deploy(topic, judgement.order)}", *gaps))


def refusal(topic: Topic[Contract], order: Order, exceptions: Exceptions) -> str:
    """Why a change that is not compatible both ways must become a new version; empty if it need not."""
    outside = [reader for reader in topic.consumers if reader in OUTSIDERS]
    if order is Order.WRITERS:
        kept = "for ever" if topic.compacted else f"for {topic.retention_hours} h"
        return f"the topic keeps old messages {kept}, and new readers refuse them; make it a new version"
    if order is Order.NEITHER:
        return "make it a new version"
    if outside:
        return f"{', '.join(outside)} cannot be deployed first; make it a new version"
    if topic.name not in exceptions.readers_first:
        return "make it a new version, or accept the order with --readers-first"
    return ""


def agreement_findings(topic: Topic[Contract], before: Released) -> Iterator[Finding]:
    """Key and partitions are fixed for a topic's life: the order of messages hangs on them."""
    now = {"key": topic.key or "any", "partitions": topic.partitions}
    was = before.topics.get(topic.name, {})
    for word in AGREED:
        if word in was and was[word] != now[word]:
            line = f"{word} was {was[word]}, is {now[word]}: fixed for a topic's life; make it a new version"
            yield Finding(topic.name, (line,), refused=True)


def gone(name: str, exceptions: Exceptions) -> Finding:
    """A topic that is in the registry no more."""
    if name in exceptions.retired:
        return Finding(name, ("retired: stop its readers last, then delete it on the broker",))
    return Finding(name, ("was released and is gone; if nobody reads it any more, say --retire",), refused=True)


def deploy(topic: Topic[Contract], order: Order) -> str:
    """Who goes first, by name."""
    readers, writers = ", ".join(topic.consumers), ", ".join(topic.producers)
    if order is Order.WRITERS:
        return f"deploy writers first ({writers}), then readers ({readers})"
    return f"deploy readers first ({readers}), then writers ({writers})"
