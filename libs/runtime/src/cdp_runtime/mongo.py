"""Reading documents by their ids, as every store on MongoDB does once a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from motor.motor_asyncio import AsyncIOMotorCollection

Document: TypeAlias = dict[str, Any]  # BSON, as the driver takes and gives it

PIECE: Final = 50  # ids in one $in: MongoDB does not care, the embedded stand-in takes time by their square


async def found(collection: AsyncIOMotorCollection[Document], ids: Iterable[str]) -> dict[str, Document]:
    """The documents of these ids, by id; what is not there is left out. All is asked for at once."""
    wanted = list(dict.fromkeys(ids))
    pieces = [wanted[start : start + PIECE] for start in range(0, len(wanted), PIECE)]
    answers = await asyncio.gather(*(collection.find({"_id": {"$in": piece}}).to_list(None) for piece in pieces))
    return {document["_id"]: document for documents in answers for document in documents}
