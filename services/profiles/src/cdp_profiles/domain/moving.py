"""Parts go from one record to another, with what is remembered of the messages that were counted in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cdp_runtime.recent import Recent

from cdp_profiles.domain.parts import PartKey, Parts
from cdp_profiles.domain.profile import Outcome, Profile


def remembered(profile: Profile) -> Iterator[tuple[str, float, Outcome]]:
    """What a record remembers of each message, with the profile that it was applied to."""
    for message_id, at, outcome in profile.recent:
        said = Outcome.parse(outcome)
        yield message_id, at, said._replace(home=said.home or profile.profile_id)


def counted_in(outcome: Outcome) -> PartKey | None:
    """The part that a message was counted in; None if it was no event."""
    return PartKey(outcome.home, outcome.part, outcome.era) if outcome.home and outcome.part else None


def without_doubles(taker: Profile, giver: Profile, parts: Parts) -> Parts:
    """These parts of the giver, less the events that both records counted, in different parts.

    An event goes to two profiles when its resolution is repeated and a merge or an unmerge came in between.
    """
    given = dict(parts)
    counted = {message_id: counted_in(outcome) for message_id, _, outcome in remembered(taker)}
    for message_id, _, outcome in remembered(giver):
        key = counted_in(outcome)
        if key in given and outcome.counter and counted.get(message_id, key) != key:
            given[key] = given[key].less(outcome.counter)
    return given


def memory_of(giver: Profile, parts: Collection[PartKey] | None = None) -> Recent:
    """What the giver remembers of all messages, or only of those counted in some parts."""
    return Recent(
        (message_id, at, outcome.dump())
        for message_id, at, outcome in remembered(giver)
        if parts is None or counted_in(outcome) in parts
    )


def drop_taken(giver: Profile, taker: Profile) -> None:
    """Let the giver drop the parts that left it and that the taker has, and forget what was counted in them."""
    taken = {key for key in giver.parts if key.identifier in giver.leaving and key in taker.parts}
    if taken:
        gone = {message_id for message_id, _, outcome in remembered(giver) if counted_in(outcome) in taken}
        giver.recent = Recent(entry for entry in giver.recent if entry[0] not in gone)
        giver.parts = {key: part for key, part in giver.parts.items() if key not in taken}
        giver.leave(giver.leaving & {key.identifier for key in giver.parts})
        giver.touch()
