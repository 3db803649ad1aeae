"""What the stores rely on from MongoDB, on both stand-ins and through both drivers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cdp_devstack.servers import Stack
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, IndexModel, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

Collection = Any
"""Motor's collections have no types, and both drivers are used alike."""


@pytest.fixture(params=["motor", "pymongo"])
async def people(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[Collection]:
    client: Any = AsyncMongoClient(stack.mongo, tz_aware=True)
    if request.param == "motor":
        await client.close()
        client = AsyncIOMotorClient(stack.mongo, tz_aware=True)
    database = f"tests_{uuid.uuid4().hex[:8]}"
    yield client[database].people
    await client.drop_database(database)
    closing = client.close()
    if closing is not None:
        await closing


async def test_a_compare_and_set_is_won_once(people: Collection) -> None:
    await people.insert_one({"_id": "ada", "rev": 0, "n": 0})

    async def increment() -> None:
        while True:
            record = await people.find_one({"_id": "ada"})
            change = {"$set": {"n": record["n"] + 1, "rev": record["rev"] + 1}}
            result = await people.update_one({"_id": "ada", "rev": record["rev"]}, change)
            if result.matched_count:
                return

    await asyncio.gather(*(increment() for _ in range(15)))

    assert await people.find_one({"_id": "ada"}) == {"_id": "ada", "rev": 15, "n": 15}


async def test_a_bulk_says_which_compare_and_set_was_lost(people: Collection) -> None:
    await people.insert_many([{"_id": "ada", "rev": 1}, {"_id": "bob", "rev": 7}])
    writes = [
        ReplaceOne({"_id": "ada", "rev": 1}, {"rev": 2}, upsert=True),
        ReplaceOne({"_id": "bob", "rev": 1}, {"rev": 2}, upsert=True),  # lost: the upsert finds the key taken
        ReplaceOne({"_id": "eve", "rev": 0}, {"rev": 1}, upsert=True),
    ]

    with pytest.raises(BulkWriteError) as failure:
        await people.bulk_write(writes, ordered=False)

    details = failure.value.details
    assert [(error["index"], error["code"]) for error in details["writeErrors"]] == [(1, 11000)]
    assert (details["nMatched"], details["nUpserted"]) == (1, 1)
    assert {d["_id"]: d["rev"] async for d in people.find()} == {"ada": 2, "bob": 7, "eve": 1}


async def test_a_bulk_counts_the_updates_that_matched(people: Collection) -> None:
    await people.insert_many([{"_id": n, "rev": n % 2} for n in range(10)])

    result = await people.bulk_write(
        [UpdateOne({"_id": n, "rev": 1}, {"$set": {"rev": 2}}) for n in range(10)], ordered=False
    )

    assert (result.matched_count, result.modified_count) == (5, 5)


async def test_one_of_many_upserts_at_once_creates_the_record(people: Collection) -> None:
    attempts = (people.update_one({"_id": "new", "rev": 0}, {"$set": {"rev": 1}}, upsert=True) for _ in range(10))

    results = await asyncio.gather(*attempts, return_exceptions=True)

    assert [isinstance(result, DuplicateKeyError) for result in results].count(False) == 1


async def test_unique_and_partial_indexes_hold(people: Collection) -> None:
    index = IndexModel(
        [("tenant", 1), ("email", 1)], unique=True, partialFilterExpression={"email": {"$exists": True}}
    )
    await people.create_indexes([index, IndexModel([("next_deadline", 1)])])
    await people.create_indexes([index])
    await people.insert_many([{"tenant": "t"}, {"tenant": "t"}, {"tenant": "t", "email": "a"}])

    with pytest.raises(DuplicateKeyError):
        await people.insert_one({"tenant": "t", "email": "a"})
    await people.insert_one({"tenant": "u", "email": "a"})

    assert await people.count_documents({}) == 4


async def test_a_range_is_read_in_order_from_its_index(people: Collection) -> None:
    await people.create_indexes([IndexModel([("next_deadline", 1)])])
    await people.insert_many([{"_id": n, "next_deadline": (n * 7) % 20} for n in range(20)])

    query = {"next_deadline": {"$gte": 5, "$lt": 15}}
    found = [d["next_deadline"] async for d in people.find(query).sort("next_deadline", 1).limit(4)]
    plan = await people.find(query).explain()

    assert found == [5, 6, 7, 8]
    assert "IXSCAN" in str(plan)


async def test_many_are_loaded_by_id_in_one_trip(people: Collection) -> None:
    await people.insert_many([{"_id": f"p{n}", "n": n} for n in range(500)])
    wanted = [f"p{n}" for n in range(0, 1_000, 2)]

    found = {d["_id"]: d["n"] async for d in people.find({"_id": {"$in": wanted}}, {"n": 1})}

    assert found == {f"p{n}": n for n in range(0, 500, 2)}


async def test_updates_of_arrays_and_parts(people: Collection) -> None:
    await people.insert_one({"_id": "ada", "recent": ["a", "b"], "tags": ["x"], "gone": 1})

    await people.update_one(
        {"_id": "ada"},
        {
            "$push": {"recent": {"$each": ["c"], "$slice": -2}},
            "$addToSet": {"tags": {"$each": ["x", "y"]}},
            "$set": {"parts.web.seen": 1},
            "$unset": {"gone": ""},
            "$max": {"last": 5},
        },
    )
    after = await people.find_one_and_update(
        {"_id": "ada"}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER
    )

    assert after == {
        "_id": "ada",
        "recent": ["b", "c"],
        "tags": ["x", "y"],
        "parts": {"web": {"seen": 1}},
        "last": 5,
        "n": 1,
    }


async def test_values_come_back_as_they_were(people: Collection) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    record = {"_id": "v", "at": moment, "big": 2**53 + 1, "raw": b"\x00\xff", "text": "nul\x00 ä", "none": None}
    await people.insert_one(record)

    assert await people.find_one({"_id": "v"}) == record


async def test_a_pipeline_counts(people: Collection) -> None:
    await people.insert_many([{"_id": n, "segment": f"s{n % 3}", "member": n % 2 == 0} for n in range(30)])
    stages = [
        {"$match": {"member": True}},
        {"$group": {"_id": "$segment", "n": {"$sum": 1}}},
        {"$sort": {"_id": 1}},
    ]

    cursor = people.aggregate(stages)
    found = [d async for d in (await cursor if asyncio.iscoroutine(cursor) else cursor)]

    assert found == [{"_id": "s0", "n": 5}, {"_id": "s1", "n": 5}, {"_id": "s2", "n": 5}]
