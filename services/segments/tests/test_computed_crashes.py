"""The evaluator is killed at every step of a story with computed traits: the end and the words are the same."""

from __future__ import annotations

import pytest
from cdp_contracts.topics import TRAITS_COMPUTED
from test_segments_crashes import end, live, one_shared_device, two_devices

TRAITS = {
    "viewed": {"kind": "count", "event": "view"},
    "viewed-lately": {"kind": "count", "event": "view", "window": {"kind": "sliding", "seconds": 5}},
    "activity": {"kind": "score", "of": [{"event": "view"}], "half_life_seconds": 60, "refresh_seconds": 60},
    "tier": {
        "kind": "tier", "of": {"kind": "score", "of": [{"event": "view"}], "half_life_seconds": 60},
        "tiers": [{"name": "warm", "at_least": 0.6}],
    },
}  # fmt: skip


def computed(evaluator):
    """What a reader that keeps the newest has, and every message by id."""
    messages = evaluator.bus.messages(TRAITS_COMPUTED)
    newest = {m.profile_id: m for m in sorted(messages, key=lambda m: (m.computed_at, m.version))}
    words = {}
    for message in messages:
        assert words.setdefault(message.id, message) == message
    return newest, words


@pytest.mark.parametrize(
    ("story", "who"), [(two_devices, ("ann", "bob", "device")), (one_shared_device, ("ann", "guest", "device"))]
)
async def test_killed_at_any_step_it_ends_the_same(make, fresh, story, who):
    definitions = [make.trait(name, **compute) for name, compute in TRAITS.items()]
    evaluator = await fresh()
    await evaluator.define(*definitions)
    await live(evaluator, story(make))
    undisturbed, told = end(evaluator, who), computed(evaluator)
    assert {message.cause for message in told[1].values()} == {"event", "timer", "merge"}
    for fuse in range(1, 1000):
        again = await fresh()
        await again.define(*definitions)
        if not await live(again, story(make), fuse):
            assert fuse > 40
            break
        assert without_untold(end(again, who)) == without_untold(undisturbed), fuse
        assert computed(again) == told, fuse


def without_untold(found):
    states, heard = found
    for state in states.values():
        state["computed"]["untold"] = None
    return states, heard
