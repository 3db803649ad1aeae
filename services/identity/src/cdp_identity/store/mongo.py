"""The graph in MongoDB: four collections, single-document writes only, on any deployment of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final
from uuid import UUID

from cdp_runtime.mongo import Document, found, mongo_client
from cdp_runtime.settings import MongoSettings
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from cdp_identity.domain.entities import Entity, Link, Merge, Refusal
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.store.ports import Pointer

DUPLICATE_KEY: Final = 11000
CONNECTIONS: Final = 8


class MongoGraphStore:
    """See GraphStore. Connects with the first call."""

    def __init__(self, settings: MongoSettings, service: str = "identity") -> None:
        milliseconds = int(settings.timeout_seconds * 1000)
        self._client = mongo_client(
            settings, appname=f"cdp-{service}", socketTimeoutMS=milliseconds, maxPoolSize=CONNECTIONS
        )
        self._database = self._client[f"{settings.database_prefix}_{service}"]
        self._identifiers = self._database["identifiers"]
        self._entities = self._database["entities"]
        self._links = self._database["links"]
        self._refusals = self._database["refusals"]

    async def migrate(self) -> None:
        """Create the index that tells which identifiers an entity has. Idempotent."""
        keys = [("tenant", ASCENDING), ("entity", ASCENDING)]
        await self._identifiers.create_index(keys, name="tenant_entity")

    async def pointers(self, pseudonyms: Collection[str]) -> dict[str, UUID]:
        """See GraphStore."""
        return {key: UUID(d["entity"]) for key, d in (await found(self._identifiers, pseudonyms)).items()}

    async def add_pointers(self, pointers: Sequence[Pointer]) -> set[str]:
        """See GraphStore."""
        return await _add(self._identifiers, (pointer_document(pointer) for pointer in pointers))

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
        await _add(self._links, ({"_id": link.pair, **link_document(link)} for link in links))

    async def refusals(self, pairs: Collection[str]) -> dict[str, Refusal]:
        """See GraphStore."""
        return {key: refusal_of(d) for key, d in (await found(self._refusals, pairs)).items()}

    async def add_refusals(self, refusals: Sequence[Refusal]) -> set[str]:
        """See GraphStore."""
        return await _add(self._refusals, map(refusal_document, refusals))

    async def ping(self) -> None:
        """See GraphStore."""
        await self._database.command("ping")

    async def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


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


def pointer_document(pointer: Pointer) -> Document:
    """A pointer as it is stored."""
    return {
        "_id": pointer.identifier.pseudonym,
        "tenant": pointer.tenant,
        "kind": pointer.identifier.kind,
        "entity": str(pointer.entity),
    }


def link_document(link: Link) -> Document:
    """A link as it is stored."""
    return {
        "tenant": link.tenant,
        "event": str(link.event),
        "rule": link.rule,
        "first": link.first,
        "other": link.other,
        "source": link.source,
        "seen_at": link.seen_at,
    }


def link_of(document: Document) -> Link:
    """The link in a document."""
    return Link(
        tenant=document["tenant"],
        event=UUID(document["event"]),
        rule=document["rule"],
        first=document["first"],
        other=document["other"],
        source=document["source"],
        seen_at=document["seen_at"],
    )


def refusal_document(refusal: Refusal) -> Document:
    """A refusal as it is stored."""
    return {
        "_id": refusal.link.pair,
        "tenant": refusal.link.tenant,
        "profile_id": str(refusal.profile_id),
        "other": str(refusal.other),
        "limit": refusal.limit,
        "link": link_document(refusal.link),
    }


def refusal_of(document: Document) -> Refusal:
    """The refusal in a document."""
    return Refusal(
        UUID(document["profile_id"]), UUID(document["other"]), document["limit"], link_of(document["link"])
    )


def entity_document(entity: Entity) -> Document:
    """An entity as it is stored."""
    uniq: dict[str, list[str]] = {}
    for claim in sorted(entity.claims):
        uniq.setdefault(claim.kind, []).append(claim.pseudonym)
    return {
        "_id": str(entity.id),
        "tenant": entity.tenant,
        "born": entity.born,
        "ver": entity.ver,
        "state": entity.state,
        "into": str(entity.into) if entity.into else None,
        "link": link_document(entity.link) if entity.link else None,
        "uniq": uniq,
        "size": entity.size,
        "absorbed": [
            {"absorbed": str(m.absorbed), "survivor": str(m.survivor), "link": link_document(m.link)}
            for m in entity.absorbed
        ],
    }


def entity_of(document: Document) -> Entity:
    """The entity in a document."""
    return Entity(
        id=UUID(document["_id"]),
        tenant=document["tenant"],
        born=document["born"],
        ver=document["ver"],
        state=document["state"],
        into=UUID(document["into"]) if document["into"] else None,
        link=link_of(document["link"]) if document["link"] else None,
        claims=frozenset(Identifier(kind, value) for kind, held in document["uniq"].items() for value in held),
        size=document["size"],
        absorbed=tuple(
            Merge(UUID(m["absorbed"]), UUID(m["survivor"]), link_of(m["link"])) for m in document["absorbed"]
        ),
    )
