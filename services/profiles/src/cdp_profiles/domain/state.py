"""Parts as BSON can hold them: names that may be anything stand as values, never as keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cdp_runtime.records import State

from cdp_profiles.domain.parts import Allowed, Identifier, Part, PartKey, Parts, Trait


def state_of(parts: Parts) -> list[State]:
    """The parts, written down."""
    return [
        {
            "home": key.home,
            "identifier": key.identifier,
            **({"era": key.era} if key.era else {}),
            "first_seen": part.first_seen,
            "last_seen": part.last_seen,
            "traits": [[name, *trait] for name, trait in part.traits.items()],
            "counters": [[name, count] for name, count in part.counters.items()],
            "identifiers": [list(identifier) for identifier in sorted(part.identifiers)],
            **({"allowed": list(part.allowed)} if part.allowed else {}),
        }
        for key, part in parts.items()
    ]


def parts_of(states: Iterable[State]) -> Parts:
    """The inverse of `state_of`."""
    return {
        PartKey(state["home"], state["identifier"], state.get("era", 0)): Part(
            first_seen=state["first_seen"],
            last_seen=state["last_seen"],
            traits={name: Trait(*trait) for name, *trait in state["traits"]},
            counters=dict(state["counters"]),
            identifiers={Identifier(*identifier) for identifier in state["identifiers"]},
            allowed=allowed_of(state.get("allowed")),
        )
        for state in states
    }


def allowed_of(state: list[Any] | None) -> Allowed | None:
    """What an event may be used for; None in records of before, and of which nothing is known."""
    return Allowed(state[0], state[1], tuple(state[2])) if state else None
