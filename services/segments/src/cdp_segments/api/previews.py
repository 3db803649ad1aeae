"""How many people a condition would hold of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Final, TypeAlias

from cdp_contracts.conditions_v1 import Condition
from pydantic import BaseModel, BeforeValidator, Field

from cdp_segments.api.door import Door, Token
from cdp_segments.api.examples import PREVIEW, PREVIEW_ASKED, shown
from cdp_segments.api.populations import Populations
from cdp_segments.api.problems import ConditionProblem, TooSlow
from cdp_segments.api.views import View
from cdp_segments.census import Census
from cdp_segments.domain.estimating import Estimate
from cdp_segments.domain.faults import BadCondition, read_condition
from cdp_segments.domain.person import Person
from cdp_segments.domain.previewing import Poll, Preview
from cdp_segments.domain.telling import moment_of
from cdp_segments.domain.wording import words

BODY_BYTES: Final = 64 * 1024
SAMPLE: Final = 10_000
COUNTED: Final = 100_000
AT_ONCE: Final = 2


def strictly(value: object) -> Condition:
    """The condition; a problem that names every fault if it is none."""
    try:
        return read_condition(value)
    except BadCondition as fault:
        raise ConditionProblem(fault.faults) from None


Strict: TypeAlias = Annotated[Condition, BeforeValidator(strictly)]


class PreviewRequest(BaseModel):
    """A condition, as in a definition; a whole definition will do, of which no more is read."""

    model_config = shown(PREVIEW_ASKED)

    when: Strict
    sample: int = Field(default=SAMPLE, ge=100, le=COUNTED, description="people to ask for the estimate")
    exact: bool = Field(
        default=False, description="ask everybody however many; without it everybody is asked below 100,000 people"
    )


class UnknownView(View):
    """A part of the condition that cannot be known of people, because nobody counts that yet."""

    path: str = Field(description="where it stands, such as when/of/0")
    condition: str = Field(description="in words")
    why: str


class Sample(View):
    """Those with the lowest numbers, by a hash of the profile's id: the same people in every preview."""

    size: int
    matching: int = Field(description="of whom the condition holds, as far as it can be known")


class Bounds(View):
    """What can be said in spite of unknown parts."""

    at_least: int
    at_most: int


class PreviewView(View):
    """How many people the condition holds of now."""

    model_config = shown(PREVIEW)

    condition: str = Field(description="in words")
    population: int = Field(description="all people known")
    sample: Sample
    estimate: Estimate | None = Field(
        description="from the sample; null if a part of the condition cannot be known"
    )
    exact: int | None = Field(
        description="of everybody; null if not all were asked, not all in time, or a part is not known"
    )
    unknown_parts: tuple[UnknownView, ...]
    bounds: Bounds | None = Field(description="null if all parts are known, and the estimate says more")
    as_of: datetime


@dataclass(frozen=True, slots=True)
class PreviewDesk:
    """Where readers try conditions. Two at a time: the others wait."""

    door: Door
    census: Census
    populations: Populations
    seconds: float
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def preview(self, token: Token, asked: PreviewRequest) -> PreviewView:
        """How many people a condition would hold of: an estimate, and below 100,000 people the number.

        Nothing is counted for a condition before it is defined: what no live segment counts, or none is done
        counting, is told apart in `unknown_parts`, and never taken for zero.
        """
        tenant = self.door.tenant(token)
        standing = await self.door.standing(tenant)
        try:
            preview = Preview.of(asked.when, standing.catalog)
        except BadCondition as fault:
            raise ConditionProblem(fault.faults) from None
        population = await self.door.available(self.populations.of(tenant))
        polling = Polling(Poll(preview, self.door.now), asked.sample, whole=asked.exact or population < COUNTED)
        try:
            async with asyncio.timeout(self.seconds), self.turns:
                await self.door.available(polling.ask(self.census.people(tenant)))
        except TimeoutError:
            if asked.exact or polling.sample is None:
                raise TooSlow from None
        return view(asked.when, polling, population)


@dataclass(slots=True)
class Polling:
    """Asks a sample, then everybody if that is wanted; what is done when time is up stays."""

    poll: Poll
    wanted: int
    whole: bool
    sample: Poll | None = None
    done: bool = False

    async def ask(self, people: AsyncIterator[Sequence[Person]]) -> None:
        """Page by page; others have their turn between two."""
        async for page in people:
            missing = max(0, self.wanted - self.poll.asked)
            self.poll.ask(page[:missing])
            if self.sample is None and self.poll.asked >= self.wanted:
                self.sample = replace(self.poll)
                if not self.whole:
                    return
            self.poll.ask(page[missing:])
            await asyncio.sleep(0)
        self.sample = self.sample or replace(self.poll)
        self.done = True


def view(condition: Condition, polling: Polling, population: int) -> PreviewView:
    """What was found; the number only if all parts are known."""
    poll, sample = polling.poll, polling.sample or polling.poll
    preview, population = poll.preview, poll.asked if polling.done else max(population, poll.asked)
    surely, possibly = sample.estimates(population)
    bounds = (poll.surely, poll.possibly) if polling.done else (surely.low, possibly.high)
    return PreviewView(
        condition=words(condition),
        population=population,
        sample=Sample(size=sample.asked, matching=sample.surely),
        estimate=None if preview.unknown else surely,
        exact=poll.surely if polling.done and not preview.unknown else None,
        unknown_parts=tuple(UnknownView(**part._asdict()) for part in preview.unknown),
        bounds=Bounds(at_least=bounds[0], at_most=bounds[1]) if preview.unknown else None,
        as_of=moment_of(poll.now),
    )
