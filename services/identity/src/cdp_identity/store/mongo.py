"""The graph in MongoDB: four collections, single-document writes only, on any deployment of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from uuid import UUID

from cdp_runtime.mongo import PIECE, Document, found, mongo_client
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from cdp_identity.domain.entities import Entity, Link, Refusal
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.splitting import Split
from cdp_identity.store.documents import (
    entity_document,
    entity_of,
    link_document,
    link_of,
    parted_of,
    pointer_document,
    refusal_document,
    refusal_of,
    split_document,
    split_of,
)
from cdp_identity.store.history import History, Ways
from cdp_identity.store.ports import Pointer

DUPLICATE_KEY: Final = 11000
CONNECTIONS: Final = 8
ENDS: Final = ("first", "other")
MOST_ASKERS: Final = 10_000  # of a piece: as many as any fan-in asks for


class MongoGraphStore:
    """See GraphStore. Connects with the first call. `pepper` is noted on what is pointed for the first time."""

    def __init__(self, settings: MongoSettings, service: str = "identity", pepper: str = "") -> None:
        milliseconds = int(settings.timeout_seconds * 1000)
        self._client = mongo_client(
            settings, appname=f"cdp-{service}", socketTimeoutMS=milliseconds, maxPoolSize=CONNECTIONS
        )
        self.database = self._client[f"{settings.database_prefix}_{service}"]
        self._identifiers = self.database["identifiers"]
        self._entities = self.database["entities"]
        self._links = self.database["links"]
        self._refusals = self.database["refusals"]
        self._splits = self.database["splits"]
        self._pepper = pepper

    async def migrate(self) -> None:
        """Create the indexes: whose an identifier is, what links it, whom it was refused to. Idempotent."""
        keys = [("tenant", ASCENDING), ("entity", ASCENDING)]
        await self._identifiers.create_index(keys, name="tenant_entity")
        await self._links.create_index([("tenant", ASCENDING), ("seen_at", ASCENDING)], name="tenant_seen_at")
        await self._splits.create_index([("unmerge", ASCENDING)], name="unmerge")
        for end in ENDS:
            await self._links.create_index([(end, ASCENDING)], name=end)
            await self._refusals.create_index([(f"link.{end}", ASCENDING), ("link.seen_at", ASCENDING)], name=end)

    async def pointers(self, pseudonyms: Collection[str]) -> dict[str, UUID]:
        """See GraphStore."""
        return {key: UUID(d["entity"]) for key, d in (await found(self._identifiers, pseudonyms)).items()}

    async def add_pointers(self, pointers: Sequence[Pointer]) -> set[str]:
        """See GraphStore."""
        return await _add(self._identifiers, (pointer_document(pointer, self._pepper) for pointer in pointers))

    async def repoint(self, moves: Sequence[tuple[str, UUID, UUID]]) -> None:
        """See GraphStore."""
        await self._identifiers.bulk_write(
            [
                UpdateOne({"_id": pseudonym, "entity": str(old)}, {"$set": {"entity": str(new)}})
                for pseudonym, old, new in moves
            ],
            ordered=False,
        )

    async def entities(self, ids: Collection[UUID]) -> dict[UUID, Entity]:
        """See GraphStore."""
        documents = await found(self._entities, map(str, ids))
        return {entity.id: entity for entity in map(entity_of, documents.values())}

    async def add_entities(self, entities: Sequence[Entity]) -> set[UUID]:
        """See GraphStore."""
        return {UUID(key) for key in await _add(self._entities, map(entity_document, entities))}

    async def swap(self, entity: Entity) -> bool:
        """See GraphStore."""
        document = entity_document(entity)
        result = await self._entities.update_one(
            {"_id": document.pop("_id"), "ver": entity.ver - 1}, {"$set": document}
        )
        return result.matched_count == 1

    async def add_links(self, links: Sequence[Link]) -> None:
        """See GraphStore."""
        await _add(self._links, ({"_id": link.key, **link_document(link)} for link in links))

    async def refusals(self, keys: Collection[str]) -> dict[str, Refusal]:
        """See GraphStore."""
        return {key: refusal_of(d) for key, d in (await found(self._refusals, keys)).items()}

    async def add_refusals(self, refusals: Sequence[Refusal]) -> set[str]:
        """See GraphStore."""
        return await _add(self._refusals, map(refusal_document, refusals))

    async def asked(self, pseudonyms: Collection[str], since: int) -> dict[str, int]:
        """See GraphStore. All is asked for at once, in pieces."""
        pieces = _pieces(list(pseudonyms))
        queries = [(end, other, piece) for end, other in (ENDS, ENDS[::-1]) for piece in pieces]
        answers = await asyncio.gather(*(self._refused(end, piece, since) for end, _, piece in queries))
        askers: dict[str, set[str]] = {}
        for (end, other, _), links in zip(queries, answers, strict=True):
            for link in links:
                askers.setdefault(link[end], set()).add(link[other])
        return {name: len(by) for name, by in askers.items()}

    async def _refused(self, end: str, names: Sequence[str], since: int) -> list[dict[str, str]]:
        query = {f"link.{end}": {"$in": list(names)}, "link.seen_at": {"$gt": since}}
        cursor = self._refusals.find(query, {"link.first": 1, "link.other": 1})
        return [document["link"] for document in await cursor.to_list(MOST_ASKERS)]

    async def members(self, tenant: str, entities: Collection[UUID]) -> list[Pointer]:
        """See GraphStore."""
        pieces = _pieces(list(map(str, entities)))
        queries = ({"tenant": tenant, "entity": {"$in": piece}} for piece in pieces)
        return [
            Pointer(Identifier(document["kind"], document["_id"]), tenant, UUID(document["entity"]))
            for document in await self._all(self._identifiers, queries)
        ]

    async def links_of(self, pseudonyms: Collection[str]) -> list[Link]:
        """See GraphStore."""
        pieces = _pieces(list(pseudonyms))
        documents = await self._all(self._links, ({end: {"$in": piece}} for end in ENDS for piece in pieces))
        links = {link.key: link for link in map(link_of, documents)}
        return sorted(links.values(), key=lambda link: (link.seen_at, link.key))

    async def revert(self, links: Collection[Link], unmerge: UUID) -> None:
        """See GraphStore."""
        for piece in _pieces([link.key for link in links]):
            await self._links.update_many(
                {"_id": {"$in": piece}, "reverted_by": {"$exists": False}}, {"$set": {"reverted_by": str(unmerge)}}
            )

    async def add_splits(self, splits: Sequence[Split]) -> None:
        """See GraphStore."""
        await _add(self._splits, map(split_document, splits))

    async def splits(self, unmerge: UUID) -> list[Split]:
        """See GraphStore."""
        return [split_of(d) for d in await self._splits.find({"unmerge": str(unmerge)}).to_list(None)]

    async def _all(
        self, collection: AsyncIOMotorCollection[Document], queries: Iterable[Document]
    ) -> list[Document]:
        answers = await asyncio.gather(*(collection.find(query).to_list(None) for query in queries))
        return [document for documents in answers for document in documents]

    async def history(self, tenant: str, most: int) -> History:
        """See GraphStore."""
        of_tenant = {"tenant": tenant}
        links = await self._links.find(of_tenant).sort([("seen_at", ASCENDING)]).to_list(most)
        pointers = await self._identifiers.find(of_tenant, {"kind": 1, "entity": 1}).to_list(2 * most)
        merged = {"tenant": tenant, "state": "merged"}
        redirects = await self._entities.find(merged, {"into": 1}).to_list(2 * most)
        split = await self._entities.find({"tenant": tenant, "epoch": {"$gt": 0}}, {"parted": 1}).to_list(most)
        refused = await self._refusals.find(of_tenant, {"link": 1}).to_list(most)
        ways = Ways(
            {UUID(d["_id"]): UUID(d["into"]) for d in redirects},
            {UUID(d["_id"]): parted_of(d) for d in split},
        )
        return History(
            links=[link_of(document) for document in links],
            kinds={d["_id"]: d["kind"] for d in pointers},
            owners={d["_id"]: ways.lead(UUID(d["entity"]), d["_id"]) for d in pointers},
            refused={(d["link"]["first"], d["link"]["other"]) for d in refused},
            whole=len(links) < most,
        )

    async def ping(self) -> None:
        """See GraphStore."""
        await self.database.command("ping")

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def _pieces(keys: list[str]) -> list[list[str]]:
    return [keys[start : start + PIECE] for start in range(0, len(keys), PIECE)]


async def _add(collection: AsyncIOMotorCollection[Document], documents: Iterable[Document]) -> set[str]:
    new = list({document["_id"]: document for document in documents}.values())
    try:
        await collection.insert_many(new, ordered=False)
    except BulkWriteError as error:
        errors = error.details["writeErrors"]
        if error.details.get("writeConcernErrors") or any(e["code"] != DUPLICATE_KEY for e in errors):
            raise
        return {new[e["index"]]["_id"] for e in errors}
    return set()
