"""Real clicks: at any instant, sequences and dwells hold of whom DuckDB finds among all that was told until then.

A third of the users of a shop's published clickstream click again what they clicked in half a year. Some clicks
are told days late or twice, and between them nothing but the clock moves anybody. Every click tells the platform.
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
from cdp_devstack.clickstream import Clickstream
from cdp_segments.domain.engine import react, wake
from cdp_segments.domain.person import Person, person_id
from cdp_segments.domain.telling import Delivery, acknowledge, forget_acknowledged, milliseconds_of

SPACE = UUID(int=12)
ONE_OF = 3
INSTANTS = 15
HOUR, DAY = 3600, 86400
ENDS = datetime(2026, 6, 30, tzinfo=UTC)


def step(event, within=None, *without):
    return {"event": event, "within_seconds": within, "not_between": [*without]}


def sequence(*steps, **more):
    return {"kind": "sequence", "steps": [step(s) if isinstance(s, str) else s for s in steps], **more}


def last(days):
    return {"window": {"kind": "sliding", "seconds": days * DAY}}


def dwell(op, value, least=None, most=None):
    about = {"kind": "dwell", "trait": "platform", "op": op, "value": value}
    return {**about, "at_least_seconds": least, "less_than_seconds": most}


MOBILE_SINCE = """
    select person, min(done) as since from known k where done > coalesce(
        (select max(done) from known o where o.person = k.person and o.platform <> 'mobile'),
        timestamptz '1970-01-01 00:00Z'
    ) group by person"""
ELSEWHERE_SINCE = MOBILE_SINCE.replace("<>", "=")


# name: what the language says, and the users that SQL finds at an instant $t
DEFINITIONS = {
    "left-the-cart": (
        sequence("add_to_cart", not_after={"event": "purchase", "within_seconds": HOUR}, **last(7)),
        """select person from known a where event = 'add_to_cart'
            and done > $t - interval 7 day and done <= $t - interval 1 hour and not exists (
                from known o where o.person = a.person and o.event = 'purchase'
                and o.done > a.done and o.done < a.done + interval 1 hour)""",
    ),
    "straight-through": (
        sequence(
            "product_view", step("add_to_cart", 1800),
            step("purchase", HOUR, {"event": "error_page"}, {"event": "payment_error"}), times=2,
        ),
        """select p.person from known v join known a using (person) join known p using (person)
            where v.event = 'product_view' and a.event = 'add_to_cart' and p.event = 'purchase'
            and a.done > v.done and a.done < v.done + interval 30 minute
            and p.done > a.done and p.done < a.done + interval 1 hour
            and not exists (from known e where e.person = p.person and e.event in ('error_page', 'payment_error')
                and e.done > a.done and e.done < p.done)
            group by p.person having count(distinct p.click) >= 2""",
    ),
    "searched-and-found": (
        sequence(
            "search", "purchase", within_seconds=DAY, same="platform",
            window={"kind": "between", "from_seconds": DAY, "to_seconds": 30 * DAY},
        ),
        """select p.person from known s join known p using (person, platform)
            where s.event = 'search' and p.event = 'purchase' and p.done > s.done
            and p.done < s.done + interval 1 day
            and p.done <= $t - interval 1 day and p.done > $t - interval 30 day""",
    ),
    "funnel-of-a-day": (
        sequence("catalog", "product_view", "add_to_cart", "shipping_details", within_seconds=DAY, **last(60)),
        """select d.person from known a join known b using (person) join known c using (person)
            join known d using (person)
            where a.event = 'catalog' and b.event = 'product_view' and c.event = 'add_to_cart'
            and d.event = 'shipping_details' and b.done > a.done and c.done > b.done and d.done > c.done
            and d.done < a.done + interval 1 day and d.done > $t - interval 60 day""",
    ),
    "looks-again": (
        sequence(
            "product_view", step("product_view", 3 * DAY, {"event": "purchase", "same": True}), same="platform",
            times=3, not_after={"event": "add_to_cart", "same": True, "within_seconds": 2 * HOUR},
            window={"kind": "calendar", "unit": "week", "n": 2, "time_zone": "Europe/Berlin"},
        ),
        """select w.person from known v join known w using (person, platform)
            where v.event = 'product_view' and w.event = 'product_view' and w.done > v.done
            and w.done < v.done + interval 3 day and w.done <= $t - interval 2 hour
            and date_diff('week', date_trunc('week', w.done at time zone 'Europe/Berlin'),
                date_trunc('week', $t at time zone 'Europe/Berlin')) <= 1
            and not exists (from known o where o.person = w.person and o.platform = w.platform
                and o.event = 'purchase' and o.done > v.done and o.done < w.done)
            and not exists (from known o where o.person = w.person and o.platform = w.platform
                and o.event = 'add_to_cart' and o.done > w.done and o.done < w.done + interval 2 hour)
            group by w.person having count(distinct w.click) >= 3""",
    ),
    "long-mobile": (
        dwell("==", "mobile", least=10 * DAY),
        f"select person from ({MOBILE_SINCE}) where since <= $t - interval 10 day",  # noqa: S608
    ),
    "new-elsewhere": (
        dwell("!=", "mobile", least=DAY, most=30 * DAY),
        f"""select person from ({ELSEWHERE_SINCE})
            where since <= $t - interval 1 day and since > $t - interval 30 day""",  # noqa: S608
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A click: when it was, and when it was told of."""

    row: int
    user: str
    at: datetime
    told_at: datetime
    event: str
    platform: str


def clicks(dice: random.Random) -> Iterator[Told]:
    """One in five is told up to five days late. No two of a user are at the same millisecond."""
    taken: set[tuple[str, datetime]] = set()
    for click in Clickstream(ENDS, every=ONE_OF).clicks:
        at = click.at
        while (click.user, at) in taken:
            at += timedelta(milliseconds=1)
        taken.add((click.user, at))
        late = timedelta(minutes=dice.randrange(5 * 24 * 60)) if dice.random() < 0.2 else timedelta()
        yield Told(click.row, click.user, at, at + late, click.event, click.platform)


class User:
    """One person, the engine, and the clock."""

    def __init__(self, name, catalog):
        self.profile_id = uuid5(SPACE, name)
        self.id = person_id("demo", self.profile_id)
        self.people = {self.id: Person(self.id)}
        self.catalog = catalog
        self.by_clock = 0

    def clicks(self, told, moment):
        about = {"platform": told.platform}
        update = ProfileUpdated(
            tenant="demo", id=uuid5(SPACE, f"row {told.row}"), message_id=str(told.row), revision=told.row + 1,
            occurred_at=told.at, received_at=told.told_at, profile_id=self.profile_id, cause="event",
            event=Event(type="track", name=told.event, properties=about, traits=about),
        )  # fmt: skip
        react(self.people, update, Delivery(0, told.row, milliseconds_of(moment)), self.catalog)
        forget_acknowledged(self.people.values(), {0: told.row + 1})

    def segments_at(self, moment):
        person = self.people[self.id]
        for message in wake(person, milliseconds_of(moment), self.catalog):
            self.by_clock += len(message.changes)
        acknowledge(person)
        return set(person.members)


@pytest.fixture(scope="module")
def told():
    return list(clicks(random.Random(2024)))


@pytest.fixture(scope="module")
def database(told):
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            """create table clicks (
                click integer, person varchar, done timestamptz, told timestamptz,
                event varchar, platform varchar
            )"""
        )
        columns = zip(*((t.row, t.user, t.at, t.told_at, t.event, t.platform) for t in told), strict=True)
        connection.execute(f"insert into clicks select {', '.join(['unnest(?)'] * 6)}", [list(c) for c in columns])
        yield connection


def computed(database, moment):
    """Who is in which segment at an instant, as SQL says."""
    database.execute("create or replace temp table known as from clicks where told <= $t", {"t": moment})
    found = defaultdict(set)
    for name, (_, sql) in DEFINITIONS.items():
        for (user,) in database.execute(sql, {"t": moment} if "$t" in sql else {}).fetchall():
            found[user].add(name)
    return found


def turns(mine, instants):
    """What happens to a user: clicks told, some of them again, and instants at which to look."""
    happens = [(each.told_at, 0, each) for each in mine]
    happens += [(each.told_at + timedelta(days=3), 0, each) for each in mine if each.row % 10 == 0]
    happens += [(moment, 1, None) for moment in instants]
    return sorted(happens, key=lambda turn: turn[:2])


def test_membership_is_what_sql_finds(make, told, database):
    dice = random.Random(2025)
    instants = [ENDS - timedelta(seconds=dice.randrange(-20 * DAY, 160 * DAY)) for _ in range(INSTANTS)]
    expected = {moment: computed(database, moment) for moment in instants}
    catalog = make.catalog(*(make.segment(name, **when) for name, (when, _) in DEFINITIONS.items()))
    by_user = defaultdict(list)
    for each in told:
        by_user[each.user].append(each)
    by_clock = 0
    for name, mine in by_user.items():
        user = User(name, catalog)
        for moment, _, each in turns(mine, instants):
            if each is not None:
                user.clicks(each, moment)
            else:
                assert user.segments_at(moment) == expected[moment].get(name, set()), (name, moment)
        by_clock += user.by_clock
    held = {name for members in expected.values() for names in members.values() for name in names}
    assert held == DEFINITIONS.keys()
    assert by_clock > 500
