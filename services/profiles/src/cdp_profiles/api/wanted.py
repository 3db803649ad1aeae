"""What a question wants to be told of people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import Depends, Query
from pydantic import AwareDatetime

ProfileField: TypeAlias = Literal[
    "merged_from", "first_seen", "last_seen", "traits", "computed", "counters", "identifiers", "purposes", "parts"
]

ALWAYS: Final = frozenset({"id", "revision", "values"})
USUAL: Final = frozenset({
    "merged_from", "first_seen", "last_seen", "traits", "computed", "counters", "identifiers", "purposes",
})  # fmt: skip
AS_OF: Final = frozenset({"as_of", "unknown_traits", "merged_from", "traits"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which fields, and which traits; all but the parts if none are named. With `as_of`, traits only."""

    fields: tuple[ProfileField, ...] = ()
    traits: tuple[str, ...] = ()
    include: tuple[Literal["parts"], ...] = ()
    as_of: datetime | None = None

    @property
    def shown(self) -> set[str]:
        """The fields of the answer."""
        return {*ALWAYS, *(AS_OF if self.as_of else (*(self.fields or USUAL), *self.include))}

    def has(self, trait: str) -> bool:
        """Whether a trait is asked for."""
        return not self.traits or trait in self.traits


async def wanted(
    fields: Annotated[
        tuple[ProfileField, ...], Query(max_length=20, description="only these fields; repeat for more")
    ] = (),
    trait: Annotated[
        tuple[str, ...], Query(max_length=100, description="only these traits; repeat for more")
    ] = (),
    include: Annotated[tuple[Literal["parts"], ...], Query(description="also the parts")] = (),
    as_of: Annotated[
        AwareDatetime | None, Query(description="the traits as they were then, by the clocks of the senders")
    ] = None,
) -> Wanted:
    """Taken from the query. A coroutine, for the framework runs anything else in a thread."""
    return Wanted(fields, trait, include, as_of)


Want: TypeAlias = Annotated[Wanted, Depends(wanted)]
EVERYTHING: Final = Wanted()
