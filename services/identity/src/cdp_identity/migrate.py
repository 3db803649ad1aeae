"""`python -m cdp_identity.migrate`: create the indexes of the identity service. Idempotent."""

from __future__ import annotations

import asyncio

from cdp_runtime.settings import MongoSettings

from cdp_identity.matcher.store import MongoMatcherStore
from cdp_identity.store.mongo import MongoGraphStore


async def migrate(settings: MongoSettings | None = None) -> None:
    """Bring the database up to this release; raises if it cannot be reached."""
    settings = settings or MongoSettings()
    for store in (MongoGraphStore(settings), MongoMatcherStore(settings)):
        try:
            await store.migrate()
        finally:
            await store.close()


if __name__ == "__main__":
    asyncio.run(migrate())
