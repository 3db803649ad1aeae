"""Real purchases: at any instant, membership is what DuckDB computes from all that was told until then.

A sixth of CDNOW's customers buy again what they bought in 1997 and 1998. Some purchases are told days late or
twice, and between them nothing but the clock moves anybody.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import duckdb
import pytest
from cdp_contracts.events_v1 import Event
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_devstack.purchases import installed_purchases, read_purchases
from cdp_segments.domain.engine import react, wake
from cdp_segments.domain.person import Person, person_id
from cdp_segments.domain.telling import Delivery, acknowledge, forget_acknowledged, milliseconds_of

SPACE = UUID(int=11)
ONE_OF = 6
INSTANTS = 20
DAY = 86400
BEGIN, SECONDS = datetime(1997, 1, 15, tzinfo=UTC), 700 * DAY

BOUGHT = {"kind": "count", "event": "buy"}
DEAR = [{"property": "dollars", "op": ">=", "value": 50}]


def last(days):
    return {"kind": "sliding", "seconds": days * DAY}


def ago(young, old=None):
    return {"kind": "between", "from_seconds": young * DAY, "to_seconds": old and old * DAY}


def calendar(unit, n=1, full=False):
    return {"kind": "calendar", "unit": unit, "n": n, "full": full, "time_zone": "America/New_York"}


def amounts_to(function, op, value, window, of="dollars"):
    about = {"kind": "aggregate", "function": function, "event": "buy", "property": of}
    return {**about, "op": op, "value": value, "window": window}


EVER = {"kind": "lifetime"}

# name: what the language says, and what SQL says of one customer's rows at an instant t
DEFINITIONS = {
    "active": ({**BOUGHT, "window": last(30)}, "count(*) filter (bought > t - interval 30 day) >= 1"),
    "few-lately": (
        {**BOUGHT, "op": "<=", "n": 1, "window": last(90)},
        "count(*) filter (bought > t - interval 90 day) <= 1",
    ),
    "one-time": ({**BOUGHT, "op": "==", "n": 1}, "count(*) = 1"),
    "lapsing": (
        {**BOUGHT, "window": ago(30, 90)},
        "count(*) filter (bought <= t - interval 30 day and bought > t - interval 90 day) >= 1",
    ),
    "twice-before": (
        {**BOUGHT, "n": 2, "window": ago(180)},
        "count(*) filter (bought <= t - interval 180 day) >= 2",
    ),
    "this-month": (
        {**BOUGHT, "n": 2, "window": calendar("month")},
        "count(*) filter (months_ago = 0) >= 2",
    ),
    "last-weeks": (
        {**BOUGHT, "window": calendar("week", 3, full=True)},
        "count(*) filter (weeks_ago between 1 and 3) >= 1",
    ),
    "today": (
        {**BOUGHT, "window": calendar("day", 2)},
        "count(*) filter (days_ago <= 1) >= 1",
    ),
    "big-spenders": (
        amounts_to("sum", ">=", 100, last(90)),
        "coalesce(sum(dollars) filter (bought > t - interval 90 day), 0) >= 100",
    ),
    "spent-before": (
        amounts_to("sum", "<", 30.5, ago(60, 99)),
        "coalesce(sum(dollars) filter (bought <= t - interval 60 day and bought > t - interval 99 day), 0) < 30.5",
    ),
    "high-average": (amounts_to("average", ">", 40, EVER), "sum(dollars) > 40 * count(*)"),
    "never-cheap": (amounts_to("min", ">=", 12, EVER), "min(dollars) >= 12"),
    "once-dear": (
        amounts_to("max", ">", 75, calendar("month", 6)),
        "coalesce(max(dollars) filter (months_ago < 6), 0) > 75",
    ),
    "small-last": (amounts_to("last", "<", 15, EVER), "arg_max(dollars, bought) < 15"),
    "varied": (amounts_to("distinct", ">=", 3, EVER, of="discs"), "count(distinct discs) >= 3"),
    "mostly-dear": (
        {
            "kind": "ratio", "op": ">=", "value": 0.5, "min_denominator": 3,
            "numerator": {**BOUGHT, "where": DEAR}, "denominator": BOUGHT,
        },
        "count(*) >= 3 and 2 * count(*) filter (dollars >= 50) >= count(*)",
    ),
    "gone": (
        {"kind": "absence", "event": "buy", "window": last(60), "require_age": True},
        "max(bought) <= t - interval 60 day",
    ),
    "new": ({"kind": "first", "event": "buy", "window": last(30)}, "min(bought) > t - interval 30 day"),
    "lapsed": ({"kind": "last", "event": "buy", "window": ago(90)}, "max(bought) <= t - interval 90 day"),
    "win-back": (
        {
            "kind": "and",
            "of": [
                {"kind": "in_segment", "segment": "gone"},
                {"kind": "in_segment", "segment": "high-average"},
                {"kind": "not", "of": {"kind": "in_segment", "segment": "one-time"}},
            ],
        },
        "max(bought) <= t - interval 60 day and sum(dollars) > 40 * count(*) and count(*) <> 1",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A purchase: when it was, and when it was told of."""

    row: int
    customer: int
    at: datetime
    told_at: datetime
    dollars: float
    discs: int


def purchases(dice: random.Random) -> Iterator[Told]:
    """A sixth of the customers; one in five purchases is told up to five days late."""
    for bought in read_purchases(installed_purchases()):
        if bought.customer % ONE_OF == 0:
            at = bought.day + timedelta(hours=dice.randrange(24), seconds=bought.row % 3600)
            late = timedelta(minutes=dice.randrange(5 * 24 * 60)) if dice.random() < 0.2 else timedelta()
            yield Told(bought.row, bought.customer, at, at + late, bought.dollars, bought.discs)


class Customer:
    """One person, the engine, and the clock."""

    def __init__(self, number, catalog):
        self.profile_id = uuid5(SPACE, str(number))
        self.id = person_id("demo", self.profile_id)
        self.people = {self.id: Person(self.id)}
        self.catalog = catalog
        self.by_clock = 0

    def buys(self, told, moment):
        event = Event(type="track", name="buy", properties={"dollars": told.dollars, "discs": told.discs})
        update = ProfileUpdated(
            tenant="demo", id=uuid5(SPACE, f"row {told.row}"), message_id=str(told.row), revision=told.row + 1,
            occurred_at=told.at, received_at=told.told_at, profile_id=self.profile_id, cause="event", event=event,
        )  # fmt: skip
        react(self.people, update, Delivery(0, told.row, milliseconds_of(moment)), self.catalog)
        forget_acknowledged(self.people.values(), {0: told.row + 1})

    def segments_at(self, moment):
        person = self.people[self.id]
        for message in wake(person, milliseconds_of(moment), self.catalog):
            self.by_clock += len(message.changes)
        acknowledge(person)
        return set(person.members)


PURCHASES = """create table purchases (
    customer integer, bought timestamptz, told timestamptz, dollars decimal(9, 2), discs integer
)"""
INSERT = (
    "insert into purchases select unnest(?), unnest(?), unnest(?), unnest(?::varchar[])::decimal(9, 2), unnest(?)"
)
KNOWN = """
with known as (
    select *, $t as t, bought at time zone 'America/New_York' as there, $t at time zone 'America/New_York' as here
    from purchases where told <= $t
)
select *, date_diff('day', there::date, here::date) as days_ago,
    date_diff('week', date_trunc('week', there), date_trunc('week', here)) as weeks_ago,
    date_diff('month', date_trunc('month', there), date_trunc('month', here)) as months_ago
from known
"""


@pytest.fixture(scope="module")
def told():
    return list(purchases(random.Random(1997)))


@pytest.fixture(scope="module")
def database(told):
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(PURCHASES)
        columns = zip(*((t.customer, t.at, t.told_at, str(t.dollars), t.discs) for t in told), strict=True)
        connection.execute(INSERT, [list(column) for column in columns])
        yield connection


def computed(database, moment):
    """Who is in which segment at an instant, as SQL says."""
    columns = ", ".join(f'{sql} as "{name}"' for name, (_, sql) in DEFINITIONS.items())
    query = f"select customer, {columns} from ({KNOWN}) group by customer, t"  # noqa: S608  # all of it is above
    found = database.execute(query, {"t": moment}).fetchall()
    return {
        customer: {name for name, holds in zip(DEFINITIONS, truths, strict=True) if holds}
        for customer, *truths in found
    }


def turns(mine, instants):
    """What happens to a customer: purchases told, some of them again, and instants at which to look."""
    again = [each for each in mine if each.row % 10 == 0]
    happens = [(each.told_at, 0, each) for each in mine]
    happens += [(each.told_at + timedelta(days=3), 0, each) for each in again]
    happens += [(moment, 1, None) for moment in instants]
    return sorted(happens, key=lambda turn: turn[:2])


def test_membership_is_what_sql_computes(make, told, database):
    dice = random.Random(1998)
    instants = [BEGIN + timedelta(seconds=dice.randrange(SECONDS)) for _ in range(INSTANTS)]
    expected = {moment: computed(database, moment) for moment in instants}
    catalog = make.catalog(*(make.segment(name, **when) for name, (when, _) in DEFINITIONS.items()))
    by_customer = defaultdict(list)
    for each in told:
        by_customer[each.customer].append(each)
    by_clock = 0
    for number, mine in by_customer.items():
        customer = Customer(number, catalog)
        for moment, _, each in turns(mine, instants):
            if each is not None:
                customer.buys(each, moment)
            else:
                assert customer.segments_at(moment) == expected[moment].get(number, set()), (number, moment)
        by_clock += customer.by_clock
    assert by_clock > len(told)
    held = {name for members in expected.values() for names in members.values() for name in names}
    assert held == DEFINITIONS.keys()
