"""One consumer group a stage: what stops one stage of a role stops no other (contracts/adr/0003)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from cdp_contracts.envelope import Contract, Message
from cdp_contracts.topics import Topic
from cdp_runtime.batch import Batch
from cdp_runtime.stage import Stage
from cdp_testkit import LocalBus

ROLE = "shop-writer"
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Sale(Message):
    """What the first stage reads."""


class Takeover(Message):
    """What the second stage reads; going on without one would be wrong for ever."""


def topic_of(model: type[Contract], name: str) -> Topic[Contract]:
    return Topic(
        name=name,
        model=model,
        key="message_id",
        owner="shop",
        description="A test's.",
        producers=("shop-http",),
        consumers=(ROLE,),
        retention_hours=1,
        partitions=1,
        on_poison="halt" if model is Takeover else "dead_letter",
    )


SALES = topic_of(Sale, "tests.sales.made.v1")
TAKEOVERS = topic_of(Takeover, "tests.takeovers.agreed.v1")


class Shop:
    """A role of two stages, and what each of them has handled."""

    def __init__(self) -> None:
        self.handled: dict[str, list[str]] = {"book_sales": [], "move_owners": []}
        self.bus = LocalBus()
        self.bus.attach(
            ROLE,
            [
                Stage(self.book_sales, reads=SALES, emits=[]),
                Stage(self.move_owners, reads=TAKEOVERS, emits=[]),
            ],
        )

    async def book_sales(self, batch: Batch[Message]) -> None:
        self.handled["book_sales"] += [message.message_id for message in batch]

    async def move_owners(self, batch: Batch[Message]) -> None:
        self.handled["move_owners"] += [message.message_id for message in batch]

    async def sell(self, *message_ids: str) -> None:
        for message_id in message_ids:
            await self.bus.publish(SALES, envelope(Sale, message_id))


def envelope(model: type[Message], message_id: str) -> Message:
    return model(tenant="t", id=UUID(int=1), message_id=message_id, occurred_at=NOON, received_at=NOON)


def test_a_group_is_named_by_role_and_stage() -> None:
    shop = Shop()
    groups = [Stage(f, reads=SALES, emits=[]).group(ROLE) for f in (shop.book_sales, shop.move_owners)]
    assert groups == ["shop-writer.book_sales", "shop-writer.move_owners"]


async def test_a_halted_stage_stops_no_other_of_its_role() -> None:
    shop = Shop()
    shop.bus.publish_raw(TAKEOVERS.name, b"not a message")
    await shop.sell("first")
    await shop.bus.drain()
    assert list(shop.bus.halted()) == ["shop-writer.move_owners"]
    await shop.sell("second")
    await shop.bus.drain()
    assert shop.handled == {"book_sales": ["first", "second"], "move_owners": []}


async def test_each_stage_goes_on_where_it_stood_itself() -> None:
    shop = Shop()
    await shop.bus.publish(TAKEOVERS, envelope(Takeover, "agreed"))
    shop.bus.publish_raw(TAKEOVERS.name, b"not a message")
    await shop.sell("first")
    await shop.bus.drain()
    assert shop.handled == {"book_sales": ["first"], "move_owners": []}
    shop.bus.resume("shop-writer.move_owners")
    await shop.bus.drain()
    committed = [action.group for action in shop.bus.actions if action.what == "committed"]
    assert committed == ["shop-writer.book_sales"]
    assert shop.handled["book_sales"] == ["first"]
