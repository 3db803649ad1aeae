"""What a sample says of everybody."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

Z: Final = 1.959963984540054
"""Of 95 %."""


class Estimate(BaseModel):
    """How many people there are of a kind, with the Wilson 95 % interval."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(description="people")
    low: int = Field(description="at least so many, 19 times of 20 together with `high`")
    high: int
    share: float = Field(description="of all people, 0 to 1")
    share_low: float
    share_high: float


def estimate(found: int, asked: int, population: int) -> Estimate:
    """From so many found among so many asked. Who asked everybody knows."""
    share = found / asked if asked else 0.0
    low, high = (share, share) if asked >= population else wilson(found, asked)
    return Estimate(
        size=round(share * population),
        low=max(found, int(low * population)),
        high=min(population - (asked - found), ceil(high * population)),
        share=share,
        share_low=low,
        share_high=high,
    )


def wilson(found: int, asked: int) -> tuple[float, float]:
    """The score interval of a share (E. B. Wilson, JASA 22, 1927), 95 %. Of nobody asked all is possible."""
    if not asked:
        return 0.0, 1.0
    share, z2 = found / asked, Z * Z
    middle = share + z2 / (2 * asked)
    spread = Z * sqrt(share * (1 - share) / asked + z2 / (4 * asked * asked))
    below = 1 + z2 / asked
    low = (middle - spread) / below if found else 0.0
    return low, (middle + spread) / below if found < asked else 1.0
