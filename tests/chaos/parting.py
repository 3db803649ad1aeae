"""The turn of a story: who is parted when all is quiet, and what they do afterwards.

Everybody accepts on each event from then on, so that no order among lanes matters for consent either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from tests.chaos.story import ACCEPTED, Event, Lane, Sending, Story, Unmerge

SHARE: Final = 0.6
EVENTS: Final = 5
SECONDS: Final = 4
NAMES: Final = ("Product Viewed", "Product Viewed", "Product Added", "Search", "Flash Offer Viewed")


def parted(story: Story, joined: Mapping[str, Sequence[str]], rng: Random, seconds: float) -> Story:
    """The story with a turn and a second act, for some of those who are one person with their devices."""
    turn = int(1000 * seconds)
    unmerges: list[Unmerge] = []
    lanes: list[Lane] = []
    for user, devices in joined.items():
        if rng.random() < SHARE:
            groups = grouped(rng, devices)
            unmerges.append(Unmerge(f"{story.prefix}unmerge-{user}", user, groups))
            others = rng.choice(groups) if rng.random() < 0.5 else ()
            for device in devices:
                whom = f"{user}-next" if device in others else user
                lanes.append(afterwards(f"{story.prefix}{device}", rng, device, whom, turn))
    return replace(story, unmerges=tuple(unmerges), later=tuple(lanes), turn=turn)


def grouped(rng: Random, devices: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Some of the devices, together or each by itself. The user stays behind, with or without a device."""
    leaving = rng.sample(list(devices), rng.randint(1, len(devices)))
    return (tuple(leaving),) if rng.random() < 0.4 else tuple((device,) for device in leaving)


def afterwards(name: str, rng: Random, device: str, user: str, turn: int) -> Lane:
    """What a device does from then on: alone, then as a user. The one that it was parted from it never joins."""
    moments = sorted(turn + rng.randrange(1000 * SECONDS) for _ in range(EVENTS))
    known = rng.randrange(1, EVENTS + 1)
    events = [
        Event(
            message_id=f"{name}-{rng.getrandbits(24):06x}-{n}", occurred=at, name=rng.choice(NAMES),
            device=device, user=user if n >= known else None, choices=ACCEPTED,
        )
        for n, at in enumerate(moments)
    ]  # fmt: skip
    path = rng.choice(("http", "broker"))
    return Lane(f"{name}-later", path, tuple(Sending(event.occurred, (event,)) for event in events))
