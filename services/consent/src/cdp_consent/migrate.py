"""`python -m cdp_consent.migrate`: make the indexes. Idempotent."""

from __future__ import annotations

import asyncio

from cdp_runtime.settings import MongoSettings

from cdp_consent.store import MongoConsentStore


async def migrate(settings: MongoSettings) -> None:
    """Make the indexes of the database that the settings name."""
    store = MongoConsentStore(settings)
    await store.migrate()
    await store.close()


if __name__ == "__main__":
    asyncio.run(migrate(MongoSettings()))
