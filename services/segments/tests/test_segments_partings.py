"""People meet and are parted again, whatever is told in whatever order and whoever is killed meanwhile."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import pytest
from cdp_contracts.identities_v1 import Parting
from cdp_contracts.profiles_v1 import ProfileUpdated
from cdp_segments.domain.engine import mark_of
from cdp_segments.domain.intake import take_event
from cdp_segments.domain.person import Person
from cdp_segments.domain.reference import Happening, History, holds
from cdp_segments.domain.telling import milliseconds_of
from person_scheduler import PARTITIONS, Schedule

SCHEDULES = 800
VISIT = {"kind": "session", "gap_seconds": 3}
LATELY = {"kind": "sliding", "seconds": 20}
VIEWED, BOUGHT = {"kind": "count", "event": "view"}, {"kind": "count", "event": "buy"}
CONDITIONS = {
    "viewed-twice": {**VIEWED, "n": 2},
    "viewed-once": {**VIEWED, "op": "==", "n": 1},
    "active": {**VIEWED, "window": LATELY},
    "idle": {"kind": "not", "of": {**VIEWED, "window": LATELY}},
    "engaged": {**VIEWED, "n": 2, "window": VISIT},
    "left-the-cart": {
        "kind": "in_session", "session": VISIT,
        "all": [{"event": "view", "n": 1}, {"event": "buy", "op": "==", "n": 0}],
    },
    "quick": {"kind": "and", "of": [{**BOUGHT, "window": {"kind": "session", "gap_seconds": 1}}, VIEWED]},
    "before": {**VIEWED, "window": {"kind": "between", "from_seconds": 5, "to_seconds": 15}, "n": 2},
    "today": {**VIEWED, "window": {"kind": "calendar", "unit": "day", "n": 1}},
    "spends": {"kind": "aggregate", "function": "sum", "event": "view", "property": "price", "value": 9},
    "thrifty": {
        "kind": "aggregate", "function": "average", "event": "view", "property": "price", "op": "<", "value": 5,
        "window": VISIT,
    },
    "dear": {
        "kind": "ratio", "op": ">", "value": 0.6,
        "numerator": {"kind": "aggregate", "function": "sum", "event": "*", "property": "price", "window": LATELY},
        "denominator": {"kind": "count", "event": "view"},
    },
    "left-us": {"kind": "absence", "event": "view", "window": LATELY, "require_age": True},
    "new": {"kind": "first", "event": "view", "window": LATELY},
    "lapsing": {"kind": "last", "event": "view", "window": {"kind": "between", "from_seconds": 3}},
    "tried": {
        "kind": "and",
        "of": [{"kind": "in_segment", "segment": "new"}, {"kind": "bucket", "seed": "x", "high": 0.5}],
    },
    "decided": {
        "kind": "sequence", "steps": [{"event": "view"}, {"event": "buy", "within_seconds": 6}], "same": "sku",
    },
    "hesitant": {
        "kind": "sequence", "steps": [{"event": "view"}, {"event": "view", "not_between": [{"event": "buy"}]}],
        "not_after": {"event": "buy", "within_seconds": 4}, "times": 2, "window": LATELY,
    },
    "long-pro": {"kind": "dwell", "trait": "plan", "value": "pro", "at_least_seconds": 7},
    "just-pro": {"kind": "dwell", "trait": "plan", "value": "pro", "less_than_seconds": 990},
    "pro": {"kind": "trait", "trait": "plan", "op": "==", "value": "pro"},
}  # fmt: skip


@dataclass
class Somebody:
    """A person as the identity service knows him: the identifiers, in order of age, and the version."""

    identifiers: list[str]
    version: int = 0
    plan: str | None = None
    revision: int = 0


class Story(Schedule):
    """Identifiers come up, meet and are parted; what profiles say of that is told in any order."""

    def __init__(self, make, catalog, seed, noon):
        super().__init__(catalog, seed, noon)
        self.make = make
        self.somebodies: dict[str, Somebody] = {}
        self.into: dict[str, str] = {}
        self.events: list[tuple[str, ProfileUpdated]] = []
        self.plans: dict[str, tuple[int, str]] = {}
        updates: list[ProfileUpdated] = []
        for n in range(self.random.choice([6, 12, 24, 48])):
            happens = self.random.choices([self.appear, self.act, self.merge, self.part], [2, 5, 4, 4])[0]
            updates += happens(n)
        updates = [self.late(update) for update in updates]
        updates += self.random.choices(updates, k=self.random.randint(0, 6)) if updates else []
        self.random.shuffle(updates)
        for update in updates:
            self.logs[update.profile_id.int % PARTITIONS].append(update.model_copy())

    def late(self, update):
        """Some of it is told of whom the profile is part of by now, or the identifier is of."""
        if update.traits or self.random.random() < 0.6:
            return update
        name = next(n for n in (*self.somebodies, *self.into) if self.make.profile_id(n) == update.profile_id)
        if update.part:
            name = next(n for n, who in self.somebodies.items() if update.part in who.identifiers)
        while name in self.into:
            name = self.into[name]
        if update.absorbed == self.make.profile_id(name):
            return update
        return update.model_copy(update={"profile_id": self.make.profile_id(name)})

    def plan_of(self, who):
        plans = [self.plans[i] for i in who.identifiers if i in self.plans]
        return max(plans)[1] if plans else None

    def told_of(self, n, name, *, everything=False, **fields):
        """What profiles say: a revision more, and what changed of the traits."""
        who = self.somebodies[name]
        who.revision += 1
        before, who.plan = who.plan, self.plan_of(who)
        traits = {"plan": who.plan} if who.plan != before or (everything and who.plan) else {}
        update = self.make.update(n, name, traits=traits, **fields)
        return update.model_copy(update={"revision": who.revision})

    def appear(self, n):
        self.somebodies[f"p{n:02}"] = Somebody([f"{n:032x}"])
        return []

    def act(self, n):
        if not self.somebodies:
            return []
        name = self.random.choice(list(self.somebodies))
        identifier = self.random.choice(self.somebodies[name].identifiers)
        event = self.make.event(
            n, name, self.random.choice(["view", "view", "buy"]), price=n % 10, sku=n % 3
        ).event
        if self.random.random() < 0.3:
            self.plans[identifier] = (n, self.random.choice(["pro", "free"]))
            event = event.model_copy(update={"traits": {"plan": self.plans[identifier][1]}})
        update = self.told_of(n, name, at=self.random.randint(0, 30) / 2, event=event, part=identifier)
        update = update.model_copy(update={"received_at": self.at(100)})
        self.events.append((identifier, update))
        return [update]

    def merge(self, n):
        if len(self.somebodies) < 2:
            return []
        survivor, absorbed = sorted(self.random.sample(list(self.somebodies), 2))
        gone, kept = self.somebodies.pop(absorbed), self.somebodies[survivor]
        kept.identifiers = sorted(kept.identifiers + gone.identifiers)
        kept.version = max(kept.version, gone.version)
        self.into[absorbed] = survivor
        return [self.told_of(n, survivor, cause="merge", absorbed=self.make.profile_id(absorbed))]

    def part(self, n):
        several = [name for name, who in self.somebodies.items() if len(who.identifiers) > 1]
        if not several:
            return []
        name = self.random.choice(several)
        who = self.somebodies[name]
        who.version += 1
        leaving = self.random.sample(who.identifiers[1:], self.random.randint(1, len(who.identifiers) - 1))
        half = self.random.randint(1, len(leaving))
        groups = {f"p{n:02}a": leaving[:half], f"p{n:02}b": leaving[half:]}
        groups = {new: sorted(identifiers) for new, identifiers in groups.items() if identifiers}
        who.identifiers = [i for i in who.identifiers if i not in leaving]
        self.somebodies |= {new: Somebody(group, who.version) for new, group in groups.items()}
        partings = tuple(Parting(profile_id=self.make.profile_id(t), identifiers=g) for t, g in groups.items())
        told = [self.told_of(n, name, cause="merge", partings=partings, parting_version=who.version)]
        return told + [
            self.told_of(n * 100 + m, new, everything=True, cause="merge") for m, new in enumerate(groups, 2400)
        ]

    def check(self):
        heard = self.check_told()
        records = {i: Person.from_state(i, d) for i, d in self.people.records.documents.items()}
        now = milliseconds_of(self.at(1000))
        for name, who in self.somebodies.items():
            record = records.pop(self.make.person_id(name), None)
            mine = [(i, update) for i, update in self.events if i in who.identifiers]
            if record is None:
                assert not mine
                continue
            assert record.into is None
            assert not record.leaving
            self.check_state(record, mine)
            happenings = [happening(u) for _, u in mine]
            segments = self.catalogs.catalog.segments
            others = {other: compiled.definition.when for other, compiled in segments.items()}
            history = History(happenings, {"plan": who.plan}, record.profile_id, others)
            for segment, compiled in segments.items():
                expected = holds(compiled.definition.when, history, now)
                assert (segment in record.members) is expected, (name, segment)
            assert heard.get(record.profile_id, set()) == record.members.keys()
        for record in records.values():
            assert record.into is not None
            assert not record.holds_state
            assert not record.members

    def check_state(self, record, mine):
        """It is byte for byte what it would be had these events always been this person's, and no other."""
        everything = Person("demo/x")
        for identifier, update in mine:
            alone = record.id, update.event, mark_of(update), self.catalogs.catalog, 0
            take_event(everything, *alone[1:], part=identifier)
        assert {part: state_of(share) for part, share in record.shares.items() if share} == {
            part: state_of(share) for part, share in everything.shares.items()
        }
        assert state_of(record.joint) == state_of(everything.joint)

    def check_told(self):
        """Versions rise by one, what is told again is the same, and nothing is missing."""
        versions = defaultdict(dict)
        for message in self.told:
            assert versions[str(message.profile_id)].setdefault(message.version, message) == message
        for document in self.people.records.documents.values():
            profile_id = document["_id"].partition("/")[2]
            assert sorted(versions[profile_id]) == list(range(1, document["version"] + 1)), profile_id
        return {who: set(told[max(told)].memberships) for who, told in versions.items() if told}


def happening(update):
    return Happening(update.message_id, milliseconds_of(update.occurred_at), update.event, mark_of(update)[1])


def state_of(share):
    state = share.to_state()
    return {**state, "visits": {visits["gap"]: visits for visits in state["visits"]}}


@pytest.fixture(scope="module")
def catalog(make):
    return make.catalog(*(make.segment(name, **when) for name, when in CONDITIONS.items()))


def test_in_every_schedule_everybody_is_where_their_own_events_put_them(make, catalog, noon):
    for seed in range(SCHEDULES):
        story = Story(make, catalog, seed, noon)
        try:
            story.play()
            story.check()
        except AssertionError as error:
            pytest.fail(f"schedule {seed}: {error}")
