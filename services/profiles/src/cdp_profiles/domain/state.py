"""Parts as BSON can hold them: names that may be anything stand as values, never as keys."""

from __future__ import annotations

from collections.abc import Iterable

from cdp_runtime.records import State

from cdp_profiles.domain.parts import Identifier, Part, PartKey, Parts, Trait


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
        )
        for state in states
    }
