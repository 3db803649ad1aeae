"""`python -m cdp_segments.migrate`: make the indexes. Idempotent; the evaluator does the same at start."""

from __future__ import annotations

import asyncio

from cdp_runtime.settings import MongoSettings

from cdp_segments.history.store import MongoHistoryStore
from cdp_segments.store import MongoPersonStore


async def migrate(settings: MongoSettings) -> None:
    """Make what is missing."""
    people, histories = MongoPersonStore(settings), MongoHistoryStore(settings)
    try:
        await people.migrate()
        await histories.migrate()
    finally:
        await people.close()
        await histories.close()


if __name__ == "__main__":
    asyncio.run(migrate(MongoSettings()))
