"""What is kept of somebody's computed traits: what was stated, when the clock has a say in it, what may be untold.

Each message holds all computed traits, and of two the later counts, so that their order makes no difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from cdp_contracts.computed_v1 import TraitsComputed
from cdp_runtime.records import State
from pydantic import JsonValue, TypeAdapter

MOST_UNTOLD: Final = 64
"""So many messages of one person are told again after a crash; what older ones said, newer ones say."""


class Stated(NamedTuple):
    """A value (None: there is none), the definition's version, since when, and when the clock may change it."""

    value: JsonValue
    version: int
    at: int
    note: str | None
    due: int | None


class Untold(NamedTuple):
    """A message, as JSON, that may not be acknowledged yet, and where its cause stands.

    Of what the clock brought about the partition is None, and the place is the instant it was due at.
    """

    cause: str
    partition: int | None
    place: int
    message: str


STATED: Final[TypeAdapter[dict[str, Stated]]] = TypeAdapter(dict[str, Stated])


class Computed:
    """The computed traits of one person. `definitions` is the fingerprint of those they were computed by."""

    __slots__ = ("definitions", "stated", "untold", "version")

    def __init__(self) -> None:
        self.version = 0
        self.definitions = ""
        self.stated: dict[str, Stated] = {}
        self.untold: list[Untold] = []

    @property
    def due(self) -> int | None:
        """The first instant at which the clock may change a value."""
        return min((stated.due for stated in self.stated.values() if stated.due is not None), default=None)

    @property
    def wake_at(self) -> int | None:
        """When the clock has something to do, or to tell again."""
        again = [untold.place for untold in self.untold if untold.partition is None]
        return min([*again, *([] if self.due is None else [self.due])], default=None)

    def keep(self, untold: Untold) -> None:
        """Keep a message until it is acknowledged."""
        self.untold = [*self.untold, untold][-MOST_UNTOLD:]

    def told_before(self, cause: UUID | str) -> tuple[TraitsComputed, ...]:
        """What this cause brought about when it was handled before; the empty cause is the clock."""
        return tuple(
            TraitsComputed.model_validate_json(untold.message)
            for untold in self.untold
            if untold.cause == str(cause)
        )

    def acknowledge_clock(self) -> bool:
        """Let go of what the clock brought about; False if that was nothing."""
        kept = [untold for untold in self.untold if untold.partition is not None]
        self.untold, before = kept, self.untold
        return len(kept) < len(before)

    def forget_before(self, starts: Mapping[int, int]) -> None:
        """Let go of messages whose cause stands before these places of their partitions."""
        if self.untold:
            self.untold = [
                untold
                for untold in self.untold
                if untold.partition is None or untold.place >= starts.get(untold.partition, 0)
            ]

    def to_state(self) -> State:
        """As BSON can hold it; empty if there never was a definition."""
        if not self.definitions:
            return {}
        return {
            "computed": {
                "version": self.version,
                "definitions": self.definitions,
                "stated": STATED.dump_json(dict(sorted(self.stated.items()))).decode(),
                "untold": [list(untold) for untold in self.untold],
            }
        }

    @classmethod
    def from_state(cls, state: State) -> Computed:
        """The inverse."""
        computed = cls()
        if found := state.get("computed"):
            computed.version = found["version"]
            computed.definitions = found["definitions"]
            computed.stated = STATED.validate_json(found["stated"])
            computed.untold = [Untold(*untold) for untold in found["untold"]]
        return computed
