"""Where the lifecycle of segments is kept."""

from __future__ import annotations

from dataclasses import dataclass

from cdp_runtime.records import MemoryRecords, MongoRecords, Records

from cdp_segments.domain.progress import InForce, Progress
from cdp_segments.store import MongoPersonStore


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is in force, by tenant, and how far each partition has come, by its number."""

    in_force: Records[InForce]
    progress: Records[Progress]


def memory_ledger() -> Ledger:
    """A ledger in this process."""
    return Ledger(MemoryRecords(InForce), MemoryRecords(Progress))


def mongo_ledger(people: MongoPersonStore) -> Ledger:
    """A ledger beside the people."""
    database = people.collection.database
    return Ledger(MongoRecords(database.in_force, InForce), MongoRecords(database.progress, Progress))
