"""What is kept of events: bytes a message on each topic, as the broker has it on disk, and bytes a profile."""

from __future__ import annotations

from typing import Any, Final

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from cdp_contracts.topics import TOPICS
from cdp_devstack.offsets import topic_counts
from cdp_devstack.running import Running
from pymongo import MongoClient

from tests.bench.report import Row

FEWEST: Final = 100
"""Of fewer messages an average says little: definitions, for instance."""


async def rows(up: Running) -> list[Row]:
    """Each topic with enough messages on it, and the profiles."""
    counts = await topic_counts(up.kafka.bootstrap, [topic.name for topic in TOPICS])
    found = [
        Row(f"bytes a message on {name}", on_disk(up, name) / count, "bytes", f"of {count:,}")
        for name, count in counts.items() if count >= FEWEST
    ]  # fmt: skip
    return [*found, a_profile(up)]


def on_disk(up: Running, topic: str) -> int:
    """Bytes of a topic's segments: batches with their heads, keys and headers; no index."""
    return sum(file.stat().st_size for file in up.stack.kafka_server.folder.glob(f"data/{topic}-[0-9]*/*.log"))


def a_profile(up: Running) -> Row:
    """Bytes of the profiles service's documents, for each profile; BSON, before the store packs it."""
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    with MongoClient[dict[str, Any]](up.stack.mongo) as client:
        database = client["cdp_profiles"]
        sizes = {
            name: [len(document.raw) for document in database.get_collection(name, codec_options=raw).find()]
            for name in database.list_collection_names()
        }
    people = len(sizes["profiles"])
    return Row("bytes a profile", sum(map(sum, sizes.values())) / people, "bytes", f"of {people:,}")
