"""What every store on MongoDB does: connect by the settings, and read documents by their ids once a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection

from cdp_runtime.settings import MongoSettings

Document: TypeAlias = dict[str, Any]  # BSON, as the driver takes and gives it

PIECE: Final = 100  # ids in one $in: MongoDB does not care, the embedded stand-in takes time by their square


def mongo_client(settings: MongoSettings, **options: Any) -> AsyncIOMotorClient[Document]:
    """A client by the settings. Connects with the first call."""
    if settings.ca_file or settings.cert_file:
        options["tls"] = True
    if settings.ca_file:
        options["tlsCAFile"] = str(settings.ca_file)
    if settings.cert_file:
        options["tlsCertificateKeyFile"] = str(settings.cert_file)
    if settings.username:
        options["username"] = settings.username
    if settings.password:
        options["password"] = settings.password.get_secret_value()
    milliseconds = int(settings.timeout_seconds * 1000)
    return AsyncIOMotorClient(settings.url.get_secret_value(), serverSelectionTimeoutMS=milliseconds, **options)


async def found(
    collection: AsyncIOMotorCollection[Document], ids: Iterable[str], without: Iterable[str] = ()
) -> dict[str, Document]:
    """The documents of these ids, by id, `without` some fields; what is not there is left out. Asked for at once.

    If a request fails, its error is raised once all others have ended: who asks again asks nobody else meanwhile.
    """
    wanted = list(dict.fromkeys(ids))
    pieces = [wanted[start : start + PIECE] for start in range(0, len(wanted), PIECE)]
    left_out = dict.fromkeys(without, 0) or None
    requests = [collection.find({"_id": {"$in": piece}}, left_out).to_list(None) for piece in pieces]
    answers = await asyncio.gather(*requests, return_exceptions=True)
    return {document["_id"]: document for documents in map(answered, answers) for document in documents}


def answered(answer: list[Document] | BaseException) -> list[Document]:
    """What a request was answered; raises what it failed with."""
    if isinstance(answer, BaseException):
        raise answer
    return answer
