"""What is computed of a person elsewhere. It belongs to the person as a whole, not to a part.

Of two messages the one computed later counts, then the one with the higher version. What was computed of a profile
that became part of another is void.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from cdp_contracts.computed_v1 import TraitsComputed
from cdp_runtime.records import State
from pydantic import JsonValue

from cdp_profiles.domain.parts import canonical, micros


class Computed(NamedTuple):
    """A value, as JSON, the version of the definition it was computed by, and since when it holds."""

    text: str
    version: int
    at: int
    note: str | None = None

    @property
    def value(self) -> JsonValue:
        """The value."""
        value: JsonValue = json.loads(self.text)
        return value


class Computation(NamedTuple):
    """All computed traits by name, as one message told them. Of two, the one with the greater place counts."""

    computed_at: int
    version: int
    message_id: str
    traits: Mapping[str, Computed]

    @property
    def place(self) -> tuple[int, int]:
        """What tells which of two counts."""
        return self.computed_at, self.version


def computation_of(message: TraitsComputed) -> Computation:
    """What a message tells."""
    return Computation(
        computed_at=micros(message.computed_at),
        version=message.version,
        message_id=str(message.id),
        traits={
            name: Computed(canonical(trait.value), trait.version, micros(trait.at), trait.note)
            for name, trait in message.traits.items()
        },
    )


def computation_state(computation: Computation | None) -> State:
    """As BSON can hold it; empty if nothing was computed."""
    if computation is None:
        return {}
    at, version, message_id, traits = computation
    return {"computed": [at, version, message_id, [[name, *trait] for name, trait in traits.items()]]}


def parse_computation(state: State) -> Computation | None:
    """The inverse."""
    if "computed" not in state:
        return None
    at, version, message_id, traits = state["computed"]
    return Computation(at, version, message_id, {name: Computed(*trait) for name, *trait in traits})
