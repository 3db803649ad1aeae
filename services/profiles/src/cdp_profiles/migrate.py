"""`python -m cdp_profiles.migrate`: make the indexes. Idempotent; the writer does the same at start."""

from __future__ import annotations

import asyncio

from cdp_profiles.settings import Settings
from cdp_profiles.store import MongoProfileStore


async def migrate(settings: Settings) -> None:
    """Make what is missing."""
    profiles = MongoProfileStore(settings.mongo, settings.privacy.pseudonyms)
    try:
        await profiles.migrate()
    finally:
        await profiles.close()


if __name__ == "__main__":
    asyncio.run(migrate(Settings()))
