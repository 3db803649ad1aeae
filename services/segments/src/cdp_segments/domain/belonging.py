"""Leaves about whose a person is: in another segment, or in a bucket of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from cdp_contracts.conditions_v1 import Bucket, InSegment

from cdp_segments.domain.asking import Ask, Measured
from cdp_segments.domain.remedies import Remedy
from cdp_segments.domain.selectors import content_key
from cdp_segments.domain.wording import words

Truth: TypeAlias = Callable[[Measured, int], bool]

PARTS: Final = 10_000


def nobody(person: Measured, now: int) -> bool:
    """The truth of a segment that is not there."""
    return False


@dataclass(frozen=True, slots=True)
class SegmentLeaf:
    """The person is in another segment: the truth of its condition, not what was told of it."""

    condition: InSegment
    words: str
    holds: Truth
    key: str
    asks: ClassVar[tuple[Ask, ...]] = ()

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """What the other segment's condition lacks, which is not to be seen from here."""
        return None


@dataclass(frozen=True, slots=True)
class BucketLeaf:
    """The person's number for a seed is within bounds."""

    condition: Bucket
    words: str
    key: str
    asks: ClassVar[tuple[Ask, ...]] = ()

    def measure(self, person: Measured) -> float:
        """The person's number."""
        return number_of(self.condition.seed, person.profile_id)

    def holds(self, person: Measured, now: int) -> bool:
        """Whether it is within."""
        return self.condition.low <= self.measure(person) < self.condition.high

    def lacks(self, person: Measured, now: int) -> Remedy | None:
        """Nothing: the number is the person's for good."""
        return None


def segment_leaf(condition: InSegment, truths: Mapping[str, Truth]) -> SegmentLeaf:
    """The leaf of a reference; one that leads nowhere holds of nobody."""
    truth = truths.get(condition.segment, nobody)
    return SegmentLeaf(condition, words(condition), truth, content_key("segment", condition.segment))


def bucket_leaf(condition: Bucket) -> BucketLeaf:
    """The leaf of a bucket; ValueError if nobody can be in it."""
    if condition.high <= condition.low:
        raise ValueError("bucket: high must be greater than low")
    key = content_key("bucket", condition.seed, condition.low, condition.high)
    return BucketLeaf(condition, words(condition), key)


def number_of(seed: str, value: str) -> float:
    """A number of 0.0000 to 0.9999, the same in every process: GrowthBook's hash, version 2."""
    return fnv1a32(str(fnv1a32(seed + value))) % PARTS / PARTS


def fnv1a32(text: str) -> int:
    """The hash of Fowler, Noll and Vo, 32 bits, over UTF-8."""
    hashed = 0x811C9DC5
    for byte in text.encode():
        hashed = ((hashed ^ byte) * 0x01000193) & 0xFFFFFFFF
    return hashed
