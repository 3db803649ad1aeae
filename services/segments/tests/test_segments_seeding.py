"""A segment that is defined in the middle of everything ends as it would be had it been there from the start."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cdp_contracts.definitions_v1 import SegmentDefined
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from random_conditions import conditions, downwards, events, trait_values
from seeding import OTHER, chapters, check_told, live, members

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a story that fails is told as it is
happenings = st.lists(st.tuples(events, trait_values), min_size=6, max_size=40)


def defined(drawn) -> list[SegmentDefined]:
    return [
        SegmentDefined(tenant="demo", name=f"s{n}", title=f"s{n}", when=downwards(condition, n))
        for n, condition in enumerate(drawn)
    ]


@dataclass(frozen=True)
class Course:
    """What is known from the start, when the rest is defined, how fast it is seeded, and when it is killed."""

    early: int
    at: int
    turns: int
    fuse: int
    seed: int


courses = st.builds(
    Course,
    early=st.integers(0, 2),
    at=st.integers(1, 19),
    turns=st.sampled_from([1, 2, 10_000]),
    fuse=st.sampled_from([-1, -1, 1, 2, 3, 5, 8, 13, 21, 34]),
    seed=st.integers(0, 10**6),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=PHASES
)
@given(drawn=st.lists(conditions, min_size=1, max_size=3), life=happenings, course=courses)
def test_whenever_it_is_defined_it_ends_the_same(make, evaluators, drawn, life, course):
    asyncio.run(compare(make, evaluators, defined(drawn), chapters(make, course.seed, life), course))


async def compare(make, evaluators, definitions, story, course):
    other = make.segment("other", **OTHER)
    always, later = evaluators(), evaluators()
    await always.define(other, *definitions)
    await live(always, story)
    await later.define(other, *definitions[: course.early])
    await live(
        later, story, definitions[course.early :], min(course.at, len(story)), fuse=course.fuse, turns=course.turns
    )
    assert members(later) == members(always)
    check_told(always)
    check_told(later)
