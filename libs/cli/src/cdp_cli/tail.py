"""Prints messages as they flow."""

from __future__ import annotations

import json
from contextlib import aclosing

import typer
from cdp_contracts.envelope import Contract
from cdp_contracts.topics import TOPICS, Topic
from cdp_runtime.settings import KafkaSettings
from cdp_runtime.transport import Incoming
from pydantic import JsonValue

from cdp_cli.records import follow

__all__ = ["TOPICS", "NoSuchTopic", "tail"]

HARMLESS = frozenset(
    {"tenant", "id", "message_id", "occurred_at", "received_at", "profile_id", "revision", "cause", "absorbed",
     "version", "source", "flags", "subject", "part", "decision", "purposes"}
)  # fmt: skip


class NoSuchTopic(LookupError):  # noqa: N818
    """No topic, or more than one, goes by that name."""


def find(name: str) -> Topic[Contract]:
    """The one topic whose name contains these words."""
    found = [topic for topic in TOPICS if name in topic.name]
    exact = [topic for topic in found if topic.name == name]
    if len(exact or found) != 1:
        names = ", ".join(topic.name for topic in found or TOPICS)
        raise NoSuchTopic(f"{name}: one of {names}")
    return (exact or found)[0]


async def tail(settings: KafkaSettings, name: str, *, from_beginning: bool, limit: int, personal: bool) -> None:
    """Print each record as one line; of personal topics only what names nobody, unless asked for."""
    topic = find(name)
    seen = 0
    async with aclosing(follow(settings, topic.name, from_beginning=from_beginning)) as records:
        async for record in records:
            typer.echo(line(record, personal=personal or not topic.personal))
            seen += 1
            if limit and seen >= limit:
                return


def line(record: Incoming, *, personal: bool) -> str:
    """The record's value on one line."""
    try:
        value: JsonValue = json.loads(record.value or b"null")
    except ValueError:
        value = f"{len(record.value or b'')} bytes that are not JSON"
    if isinstance(value, dict) and not personal:
        value = {name: v if name in HARMLESS else "…" for name, v in value.items() if v is not None}
    return json.dumps(value, ensure_ascii=False)
