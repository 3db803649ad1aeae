"""Computed traits belong to the person: whoever merges, is parted or is killed meanwhile, in whatever order.

The stories and schedules are those of `test_segments_partings`; the definitions are computed traits, too.
"""

from __future__ import annotations

from collections import defaultdict

import pytest
from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import milliseconds_of
from computed_reference import plain
from test_segments_partings import Story, happening

SCHEDULES = 400
LATELY = {"kind": "sliding", "seconds": 20}
TRAITS = {
    "viewed": {"kind": "count", "event": "view"},
    "viewed-lately": {"kind": "count", "event": "view", "window": LATELY},
    "spent": {"kind": "aggregate", "function": "sum", "event": "view", "property": "price"},
    "days-since": {"kind": "recency", "event": "buy"},
    "activity": {
        "kind": "score", "of": [{"event": "view"}, {"event": "buy", "weight": 5}], "half_life_seconds": 60,
    },
    "price": {"kind": "favourite", "event": "*", "property": "price"},
    "tier": {
        "kind": "tier", "of": {"kind": "count", "event": "*"},
        "tiers": [{"name": "low", "at_least": 1}, {"name": "high", "at_least": 3}],
    },
}  # fmt: skip


class ComputedStory(Story):
    """A story in which traits are computed."""

    def check(self):
        super().check()
        heard = self.check_computed()
        records = {i: Person.from_state(i, d) for i, d in self.people.records.documents.items()}
        for name, who in self.somebodies.items():
            if record := records.pop(self.make.person_id(name), None):
                mine = [happening(update) for identifier, update in self.events if identifier in who.identifiers]
                self.check_values(record, mine)
                assert heard.get(record.profile_id, {}) == values_of(record), name
        for record in records.values():
            assert record.computed.stated == {}

    def check_values(self, record, mine):
        now = milliseconds_of(self.at(1000))
        traits = self.catalogs.catalog.computed.by_name
        for name, trait in traits.items():
            said = record.computed.stated.get(name)
            at = said.at if said and said.value and name == "activity" else now
            assert (said and said.value) == plain(trait.definition.compute, mine, at), (record.id, name)

    def check_computed(self):
        """Versions have no gap but after a kill, what is told again is the same, the newest is always told."""
        versions = defaultdict(dict)
        for message in self.computed:
            assert versions[str(message.profile_id)].setdefault(message.version, message) == message
        for document in self.people.records.documents.values():
            profile_id, record = document["_id"].partition("/")[2], Person.from_state(document["_id"], document)
            if record.into is None:
                assert max(versions[profile_id], default=0) == record.computed.version, profile_id
        return {
            who: {name: trait.value for name, trait in told[max(told)].traits.items()}
            for who, told in versions.items()
            if told
        }


def values_of(record):
    return {name: said.value for name, said in record.computed.stated.items() if said.value is not None}


def test_in_every_schedule_everybody_has_what_their_own_events_make(make, noon):
    seen = make.segment("seen", kind="count", event="view")
    catalog = make.catalog(seen, *(make.trait(name, **compute) for name, compute in TRAITS.items()))
    for seed in range(SCHEDULES):
        story = ComputedStory(make, catalog, seed, noon)
        try:
            story.play()
            story.check()
        except AssertionError as error:
            pytest.fail(f"schedule {seed}: {error}")
