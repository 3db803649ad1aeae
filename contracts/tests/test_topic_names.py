"""Names: `cdp.<plural noun>.<past participle>.v<major>`, with dots and hyphens only."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from cdp_contracts.envelope import Contract
from cdp_contracts.topics import TOPICS, Topic, topic_named

PARTICIPLES_NOT_IN_ED = {"withheld"}
SHAPE = re.compile(r"cdp\.(?P<noun>[a-z]+(-[a-z]+)*s)\.(?P<what>[a-z]+(-[a-z]+)*)\.v[1-9][0-9]*")


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_named_by_what_has_happened_to_which_things(topic: Topic[Contract]) -> None:
    found = SHAPE.fullmatch(topic.name)
    assert found, f"{topic.name} is not cdp.<plural noun>.<past participle>.v<major>"
    verb = found["what"].split("-")[-1]
    assert verb.endswith("ed") or verb in PARTICIPLES_NOT_IN_ED, f"{verb} is no past participle"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_model_is_found_by_the_topics_version(topic: Topic[Contract]) -> None:
    version = topic.name.rsplit(".", 1)[1]
    assert topic.model.__module__.endswith(f"_{version}"), topic.model.__module__


def test_no_two_topics_share_a_name_or_a_model() -> None:
    names = Counter(topic.name for topic in TOPICS)
    models = Counter(topic.model for topic in TOPICS)
    assert [name for name, times in names.items() if times > 1] == []
    assert [model for model, times in models.items() if times > 1] == []


def test_names_stay_apart_where_dots_become_underscores() -> None:
    """Kafka's own metrics write both as underscores."""
    flat = Counter(re.sub(r"[.-]", "_", topic.name) for topic in TOPICS)
    assert set(flat.values()) == {1}


def test_a_topic_is_found_by_its_name() -> None:
    assert all(topic_named(topic.name) is topic for topic in TOPICS)
    with pytest.raises(KeyError):
        topic_named("cdp.nothing.known.v1")
