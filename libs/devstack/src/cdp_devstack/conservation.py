"""The conservation account, read from the topics themselves: in = out + rejected + withheld + ..."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
    IDENTITIES_MERGED,
    MEMBERSHIP_CHANGED,
    PROFILES_UPDATED,
    dead_letter_topics,
)

from cdp_devstack.offsets import topic_counts

COUNTED: Final = (
    EVENTS_RECEIVED, EVENTS_REJECTED, EVENTS_VALIDATED, EVENTS_WITHHELD, EVENTS_PERMITTED, EVENTS_RESOLVED,
    IDENTITIES_MERGED, PROFILES_UPDATED, MEMBERSHIP_CHANGED,
)  # fmt: skip
DUPLICATES: Final = re.compile(
    r'^cdp_duplicates_total\{role="collector-validator",.*\} ([0-9.e+]+)$', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Account:
    """How many events stand at each place."""

    received: int
    duplicates: int
    rejected: int
    withheld: int
    resolved: int
    merged: int
    updated: int
    dead_lettered: int

    @property
    def balanced(self) -> bool:
        """Whether every event that came in went out by exactly one exit, and nothing is in flight."""
        out = self.resolved + self.rejected + self.withheld + self.duplicates + self.dead_lettered
        return self.received == out and self.updated == self.resolved + self.merged


async def account(bootstrap: str, validator_metrics: str) -> Account:
    """The account as it stands now."""
    counts = await topic_counts(bootstrap, [*(topic.name for topic in COUNTED), *dead_letter_topics()])
    return Account(
        received=counts[EVENTS_RECEIVED.name],
        duplicates=int(sum(float(number) for number in DUPLICATES.findall(validator_metrics))),
        rejected=counts[EVENTS_REJECTED.name],
        withheld=counts[EVENTS_WITHHELD.name],
        resolved=counts[EVENTS_RESOLVED.name],
        merged=counts[IDENTITIES_MERGED.name],
        updated=counts[PROFILES_UPDATED.name],
        dead_lettered=sum(counts[name] for name in dead_letter_topics()),
    )
