"""What is kept about an event or a profile: short texts by field, of which the greater stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Entry(NamedTuple):
    """One text of one record: the receipt of a message id, or what became of a profile id."""

    kind: Literal["receipt", "merged"]
    tenant: str
    name: str
    field: str
    text: str


def join(known: dict[str, str], name: str, text: str) -> None:
    """Add a text to a record: the greater stays."""
    if name not in known or known[name] < text:
        known[name] = text


def stamp(moment: datetime) -> str:
    """Milliseconds since 1970, in 13 digits."""
    return f"{int(moment.timestamp() * 1000):013d}"


def instant(text: str) -> datetime:
    """The inverse."""
    return EPOCH + timedelta(milliseconds=int(text))
