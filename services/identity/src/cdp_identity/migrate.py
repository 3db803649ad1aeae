"""`python -m cdp_identity.migrate`: create the indexes of the identity service. Idempotent."""

from __future__ import annotations

import asyncio

from cdp_runtime.settings import MongoSettings

from cdp_identity.store.mongo import MongoGraphStore


async def migrate(settings: MongoSettings | None = None) -> None:
    """Bring the database up to this release; raises if it cannot be reached."""
    store = MongoGraphStore(settings or MongoSettings())
    try:
        await store.migrate()
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(migrate())
