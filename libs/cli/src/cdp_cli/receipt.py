"""A receipt for a person's eyes: one line for each thing that became of the event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]  # an answer of the receipts' API, or a part of it


def lines(receipt: Json) -> Iterator[str]:
    """What is known, in the order in which it happens; parts that this command does not know are left out."""
    yield f"{receipt['message_id']}: {receipt['outcome']}"
    yield line("accepted", accepted(receipt["accepted"]))
    if copies := receipt.get("duplicates"):
        yield line("duplicates", f"{copies['count']}, of the one at {copies['of']}")
    if found := receipt.get("rejected"):
        yield line("rejected", f"{found['rule']} at {found['pointer'] or '/'}: expected {found['expected']}, "
                               f"got {found['got']}")  # fmt: skip
    if found := receipt.get("withheld"):
        yield line("withheld", f"{found['reason']}, for {', '.join(found['purposes']) or 'every purpose'}")
    if found := receipt.get("resolved"):
        into = f", since merged into {found['merged_into']}" if found.get("merged_into") else ""
        if found.get("unmerged_to"):
            into = f", since unmerged to {found['unmerged_to']} at {found['unmerged_at']}"
        yield line("resolved", f"to profile {found['profile_id']}{into}")
    for move in receipt.get("segments", ()):
        way = "entered" if move["entered"] else "left"
        yield line(way, f"{move['segment']} (version {move['segment_version']}) at {move['effective_at']}")
    for letter in receipt.get("dead_letters", ()):
        yield line("set aside", f"{letter['topic']} by {letter['service']}: {letter['reason']} "
                                f"(source {letter['place']}, {letter['failed_at']})")  # fmt: skip
    if trace := receipt.get("trace_id"):
        yield line("trace", trace)


def accepted(found: Json) -> str:
    """When and where from, as far as is known."""
    said = [found.get("received_at"), found.get("source") and f"from {found['source']}"]
    place = found.get("place") and f"at {found['place']} of events.received"
    return " ".join(part for part in (*said, place) if part) or "yes"


def line(word: str, text: str) -> str:
    """A word and what there is to say about it, in columns."""
    return f"  {word:<11} {text}"
