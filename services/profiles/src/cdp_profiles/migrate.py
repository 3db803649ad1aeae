"""`python -m cdp_profiles.migrate`: make the indexes. Idempotent; the writer does the same at start."""

from __future__ import annotations

import asyncio

from cdp_runtime.settings import MongoSettings

from cdp_profiles.store import MongoProfileStore


async def migrate(settings: MongoSettings) -> None:
    """Make what is missing."""
    profiles = MongoProfileStore(settings)
    try:
        await profiles.migrate()
    finally:
        await profiles.close()


if __name__ == "__main__":
    asyncio.run(migrate(MongoSettings()))
