"""Every stage of every service, broken off after each single step: the end is what it would have been."""

from __future__ import annotations

from itertools import count

import pytest
from assembly import Pipeline
from crashpoints import Handler, Steps, emitted, handlers, outcome, told
from people import told_by_person

HANDLERS = handlers()
RESOLVER = "resolve_identities"
BREAKS = {
    "crash": {"answers": False, "backward": False},
    "crash-backward": {"answers": False, "backward": True},
    "lost-answer": {"answers": True, "backward": False},
}
every_handler = pytest.mark.parametrize("handler", HANDLERS, ids=str)


def test_every_stage_there_is_is_broken_off() -> None:
    """The list is read from the sources: a new stage is on it, and fails below until the story needs it."""
    assert {str(handler) for handler in HANDLERS} >= {
        "collector.validate_events", "consent.guard_events", f"identity.{RESOLVER}", "profiles.update_profiles",
        "identity.match_people", "identity.absorb_people", "identity.part_people", "identity.settle_pairs",
        "profiles.absorb_profiles", "identity.part_persons", "profiles.part_profiles", "profiles.keep_histories",
        "profiles.keep_computed_traits",
        "segments.evaluate", "segments.evaluate.tick",
    }  # fmt: skip


@every_handler
async def test_the_story_has_every_kind_of_step_of_every_stage_in_it(handler: Handler) -> None:
    steps = Steps(handler)
    await told(steps)
    kinds = {action.what for action in steps.taken}
    assert {"note" if steps.keeps_receipts else "save" if steps.silent else "emitted"} < kinds, (
        f"{handler} takes no part in the story, so no crash of it is tried"
    )
    assert handler.ticks or "committed" in kinds
    assert len(steps.taken) > 6


@every_handler
@pytest.mark.parametrize("how", BREAKS.values(), ids=BREAKS.keys())
async def test_broken_off_at_any_step_it_ends_the_same(handler: Handler, how: dict[str, bool]) -> None:
    """The same documents, and the same messages, word for word, under the same ids."""
    undisturbed = await told(Steps(handler, **how))
    for n in count(1):
        steps = Steps(handler, n, **how)
        platform = await told(steps)
        if n > len(steps.taken):
            return
        assert_same(platform, undisturbed, f"broken off at step {n} of {handler}: {steps.taken[n - 1]}", handler)


def assert_same(platform: Pipeline, undisturbed: Pipeline, when: str, handler: Handler) -> None:
    """Broken off or not, it is one. Who was born in pieces is the same person under another id."""
    born, expected = platform.graph.population.keys(), undisturbed.graph.population.keys()
    if handler.stage == RESOLVER and born != expected:
        assert told_by_person(platform) == told_by_person(undisturbed), when
    else:
        assert outcome(platform) == outcome(undisturbed), when
        assert emitted(platform) == emitted(undisturbed), when
