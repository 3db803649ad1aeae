"""Which peppers a database's pseudonyms were made under: nobody is forgotten because a setting was."""

from __future__ import annotations

from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError

from cdp_runtime.failures import UnknownPepper
from cdp_runtime.pseudonyms import Pseudonymizer

COLLECTION: Final = "peppers"


async def note_pepper(database: AsyncIOMotorDatabase[Any], pseudonyms: Pseudonymizer) -> None:
    """Note that this pepper writes here from now on. Idempotent.

    UnknownPepper if others wrote here that this process cannot look up: what is stored under them, a withdrawal
    for instance, would not be found.
    """
    noted = [document["_id"] for document in await database[COLLECTION].find().to_list(None)]
    for version in noted:
        if version not in pseudonyms.versions:
            raise UnknownPepper(database.name, version)
    if pseudonyms.version not in noted:
        try:
            await database[COLLECTION].insert_one({"_id": pseudonyms.version})
        except DuplicateKeyError:  # another process, at the same moment
            return
