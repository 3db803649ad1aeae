"""Whether two versions of a schema can live side by side on one topic, and who goes first if only in one order.

Both ways are judged: the new reader meets what old writers wrote, and the old reader meets what new writers
write. An added optional field passes both ways. Everything else breaks one way or the other: then the change
needs a `.v2` topic, or readers of our own that are all deployed before the first new writer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cdp_contracts.containment import Containment, Gap
from cdp_contracts.envelope import JsonObject
from cdp_contracts.json_schema import Schema


class Order(StrEnum):
    """Who must be deployed first."""

    ANY = "any order"
    READERS = "readers first"
    WRITERS = "writers first"
    NEITHER = "no order works"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a change of a schema means. `same`: nothing changes on the wire, at most the words about it."""

    new_reads_old: tuple[Gap, ...]
    old_reads_new: tuple[Gap, ...]
    same: bool

    @property
    def compatible(self) -> bool:
        """Whether old and new readers and writers mix freely."""
        return not self.new_reads_old and not self.old_reads_new

    @property
    def order(self) -> Order:
        """Who goes first. After a compatible change old readers pass over the new field, so readers do."""
        if self.same:
            return Order.ANY
        if not self.new_reads_old:
            return Order.READERS
        return Order.NEITHER if self.old_reads_new else Order.WRITERS


def judge(old: JsonObject, new: JsonObject) -> Judgement:
    """Compare two JSON Schemas of one topic, both ways.

    Compatible means: every message written by one version is valid for the other, and no field that the old
    version had is missing from the new one. What cannot be decided counts as a gap.
    """
    before, after = Schema.of(old), Schema.of(new)
    new_reads_old = tuple(Containment().gaps(before, after))
    old_reads_new = tuple(Containment(keeps_fields=True).gaps(after, before))
    nothing_added = not any(Containment(keeps_fields=True).gaps(before, after))
    return Judgement(new_reads_old, old_reads_new, same=nothing_added and not old_reads_new)
