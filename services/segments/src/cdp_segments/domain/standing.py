"""Somebody as far as conditions are held against them."""

from __future__ import annotations

from cdp_runtime.records import State

from cdp_segments.domain.person import FACTS, Person
from cdp_segments.domain.shares import Share


def standing(document: State) -> Person:
    """The person in a document, with nothing but what a condition asks for. Not to be saved."""
    person = Person(document["_id"])
    person.joint = Share.from_state(document)
    person.facts = FACTS.validate_json(document["facts"])
    person.evaluated_at = document["evaluated_at"]
    return person
