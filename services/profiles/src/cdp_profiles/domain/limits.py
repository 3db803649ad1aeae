"""How big a profile may grow. What would break a limit is refused: nothing grows without bound."""

from __future__ import annotations

from dataclasses import dataclass

from cdp_profiles.domain.parts import Part, PartKey, size_of
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
    part = profile.parts.get(PartKey(profile.profile_id, identifier, profile.era(identifier)))
    if brings_more(part, event) and (reason := _too_large(limits, profile, event)):
        return reason
    for reason, limit, known, new in (
        ("too-many-traits", limits.traits, joined.traits.keys(), event.traits.keys()),
        ("too-many-counters", limits.counters, joined.counters.keys(), event.counters.keys()),
        ("too-many-identifiers", limits.identifiers, joined.identifiers, event.identifiers),
    ):
        if not new <= known and len(known | new) > limit:
            return reason
    return "too-many-parts" if part is None and len(profile.parts) >= limits.parts else None


def brings_more(part: Part | None, event: Part) -> bool:
    """Whether the event may make its part larger: it brings traits, or names that are new there."""
    if part is None or event.traits:
        return True
    return not (event.counters.keys() <= part.counters.keys() and event.identifiers <= part.identifiers)


def _too_large(limits: Limits, profile: Profile, event: Part) -> str | None:
    sizes = [len(name.encode()) + len(trait.text.encode()) for name, trait in event.traits.items()]
    if max(sizes, default=0) > limits.trait_bytes:
        return "trait-too-large"
    return "profile-too-large" if profile.size + size_of(event) > limits.total_bytes else None
