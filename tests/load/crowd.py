"""A crowd in the stores of all services: copies of somebody who came as everybody comes, by one event.

The services write that one; what is copied is what they wrote, in every collection, with the names of the next
one in it. So nothing here has to know what a record looks like, but for what is computed from a name.
"""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID, uuid5

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from cdp_consent.domain.ledger import hash_of
from cdp_consent.store import document_of, entry_in
from cdp_contracts.topics import PROFILES_UPDATED
from cdp_devstack.platform import PEPPER, TENANT
from cdp_runtime.kafka_sends import partition_of
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_segments.domain.draws import draw
from pymongo import MongoClient

Place: TypeAlias = tuple[str, str]  # database, collection
Documents: TypeAlias = Mapping[Place, list[bytes]]

SPACE: Final = UUID(int=7)
PSEUDONYMS: Final = Pseudonymizer(PEPPER.encode())
PARTITIONS: Final = list(range(PROFILES_UPDATED.partitions))
IDENTIFIERS: Final = ("cdp_identity", "identifiers")
CHUNK: Final = 5_000
PROCESSES: Final = 2


class Names(NamedTuple):
    """All that somebody is called by. Of anybody else each is as long."""

    device: str
    pseudonym: str
    profile_id: str


def device_of(crowd: str, n: int) -> str:
    """The n-th one's device."""
    return f"{crowd}-{n:07d}"


def names_of(crowd: str, n: int) -> Names:
    """The n-th one of a crowd."""
    device = device_of(crowd, n)
    return Names(device, pseudonym_of(device), str(uuid5(SPACE, device)))


def pseudonym_of(device: str) -> str:
    """What the services call a device."""
    return PSEUDONYMS.of(TENANT, "anonymous_id", device)


def known_as(mongo: str, device: str) -> Names:
    """Somebody whom the services have seen."""
    pseudonym = pseudonym_of(device)
    with MongoClient[dict[str, Any]](mongo) as client:
        pointer = client[IDENTIFIERS[0]][IDENTIFIERS[1]].find_one({"_id": pseudonym})
    if pointer is None:
        raise LookupError(f"{device} was never seen")
    return Names(device, pseudonym, pointer["entity"])


def documents_of(mongo: str, names: Names) -> Documents:
    """Every document of every service that names somebody, by where it is. Reads all there are."""
    named = re.compile("|".join(map(re.escape, names)).encode())
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    found: dict[Place, list[bytes]] = {}
    with MongoClient[RawBSONDocument](mongo) as client:
        for database in sorted(name for name in client.list_database_names() if name.startswith("cdp_")):
            for collection in sorted(client[database].list_collection_names()):
                documents = client[database].get_collection(collection, codec_options=raw).find()
                if mine := [document.raw for document in documents if named.search(document.raw)]:
                    found[database, collection] = mine
    return found


@dataclass(frozen=True, slots=True)
class Stencil:
    """Somebody's documents, to be copied for others."""

    names: Names
    documents: Documents

    @classmethod
    def of(cls, mongo: str, device: str) -> Stencil:
        """Of somebody whom the services have seen."""
        names = known_as(mongo, device)
        return cls(names, documents_of(mongo, names))

    def copies(self, place: Place, other: Names) -> Iterator[bytes]:
        """What somebody else's documents in that place would be, had the same come of them at the same time."""
        for document in self.documents[place]:
            for mine, theirs in zip(self.names, other, strict=True):
                document = document.replace(mine.encode(), theirs.encode())  # noqa: PLW2901  # step by step
            computed = COMPUTED.get(place)
            yield computed(document, other) if computed else document


def sealed(document: bytes, _: Names) -> bytes:
    """A state of consent whose entries seal each other again."""
    state = bson.decode(document)
    entries = [entry_in(entry) for entry in state["tail"]]
    if len(entries) != 1:
        raise ValueError("a chain of more than one entry is not copied")
    seal = hash_of(entries[0])
    return bson.encode({**state, "head": seal, "tail": [{**document_of(entries[0]), "hash": seal}]})


def placed(document: bytes, names: Names) -> bytes:
    """A record of the evaluator's with the partition that its person's messages come from, and what is drawn."""
    state = bson.decode(document)
    partition = partition_of(names.profile_id.encode(), PARTITIONS, PARTITIONS)
    told = [[cause, partition, *rest] for cause, _, *rest in state["told"]]
    return bson.encode({**state, "partition": partition, "draw": draw(names.profile_id), "told": told})


COMPUTED: Final[Mapping[Place, Callable[[bytes, Names], bytes]]] = {
    ("cdp_consent", "states"): sealed,
    ("cdp_segments", "people"): placed,
}


def fill(mongo: str, stencil: Stencil, crowd: str, size: int) -> None:
    """So many people, in every store. Several processes: the store is not what takes the time."""
    starts = range(0, size, CHUNK)
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        for done in [
            pool.submit(insert, mongo, stencil, crowd, start, min(size, start + CHUNK)) for start in starts
        ]:
            done.result()


def insert(mongo: str, stencil: Stencil, crowd: str, start: int, stop: int) -> None:
    """The people from one number to another."""
    people = [names_of(crowd, n) for n in range(start, stop)]
    with MongoClient[RawBSONDocument](mongo) as client:
        for database, collection in stencil.documents:
            copies = (copy for who in people for copy in stencil.copies((database, collection), who))
            client[database][collection].insert_many([RawBSONDocument(copy) for copy in copies], ordered=False)
