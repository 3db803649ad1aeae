"""How big a profile may grow. What would break a limit is refused: nothing grows without bound."""

from __future__ import annotations

from dataclasses import dataclass

from cdp_profiles.domain.parts import Part, PartKey
from cdp_profiles.domain.profile import Profile


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one profile may hold through events. A merge may bring more together."""

    traits: int = 500
    trait_bytes: int = 8 * 1024
    parts: int = 1000
    counters: int = 1000
    identifiers: int = 1000
    total_bytes: int = 4 * 1024 * 1024


def breached(limits: Limits, profile: Profile, identifier: str, event: Part) -> str | None:
    """The code of the first limit that the event would break; None if it fits.

    A full profile still takes events that bring no new name.
    """
    joined = profile.joined
    if event.traits and (reason := _traits_too_large(limits, profile, event)):
        return reason
    for reason, limit, known, new in (
        ("too-many-traits", limits.traits, joined.traits.keys(), event.traits.keys()),
        ("too-many-counters", limits.counters, joined.counters.keys(), event.counters.keys()),
        ("too-many-identifiers", limits.identifiers, joined.identifiers, event.identifiers),
    ):
        if not new <= known and len(known | new) > limit:
            return reason
    new_part = PartKey(profile.profile_id, identifier) not in profile.parts
    return "too-many-parts" if new_part and len(profile.parts) >= limits.parts else None


def _traits_too_large(limits: Limits, profile: Profile, event: Part) -> str | None:
    sizes = [len(name.encode()) + len(trait.text.encode()) for name, trait in event.traits.items()]
    if max(sizes) > limits.trait_bytes:
        return "trait-too-large"
    return "profile-too-large" if profile.size + sum(sizes) > limits.total_bytes else None
