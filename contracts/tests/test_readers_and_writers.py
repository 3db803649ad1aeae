"""Owners, producers and consumers: every topic has real ones, and who owns a topic has to do with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cdp_contracts.envelope import Contract
from cdp_contracts.topics import OUTSIDERS, TOPICS, Topic, roles_reading

SERVICES = {path.name for path in (Path(__file__).parents[2] / "services").iterdir() if path.is_dir()}
every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def service_of(role: str) -> str:
    return role.split("-", maxsplit=1)[0]


@every_topic
def test_a_topic_is_owned_by_a_service(topic: Topic[Contract]) -> None:
    assert topic.owner in SERVICES


@every_topic
def test_the_owner_writes_or_reads_the_topic(topic: Topic[Contract]) -> None:
    assert topic.owner in {service_of(role) for role in (*topic.producers, *topic.consumers)}


@every_topic
def test_a_topic_has_somebody_who_writes_and_somebody_who_reads(topic: Topic[Contract]) -> None:
    assert topic.producers
    assert topic.consumers


@every_topic
def test_whoever_writes_or_reads_is_a_role_of_a_service_or_a_known_outsider(topic: Topic[Contract]) -> None:
    for role in (*topic.producers, *topic.consumers):
        assert role in OUTSIDERS or (service_of(role) in SERVICES and role != service_of(role)), role


@every_topic
def test_no_one_is_named_twice(topic: Topic[Contract]) -> None:
    assert len(set(topic.producers)) == len(topic.producers)
    assert len(set(topic.consumers)) == len(topic.consumers)


@every_topic
def test_a_topic_says_what_it_holds_in_a_sentence(topic: Topic[Contract]) -> None:
    assert topic.description.endswith(".")
    assert "|" not in topic.description


def test_every_service_takes_part() -> None:
    roles = {role for topic in TOPICS for role in (*topic.producers, *topic.consumers)}
    assert {service_of(role) for role in roles if role not in OUTSIDERS} == SERVICES


def test_every_outsider_takes_part() -> None:
    assert set(OUTSIDERS) <= {role for topic in TOPICS for role in (*topic.producers, *topic.consumers)}


def test_only_roles_of_ours_are_called_ours() -> None:
    for topic in TOPICS:
        assert set(roles_reading(topic)) == set(topic.consumers) - set(OUTSIDERS)
