"""Everything generated is committed, is what the registry says now, and comes out the same everywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cdp_contracts.generate.__main__ import artifacts, stale_files
from cdp_contracts.generate.schemas import schema_path
from cdp_contracts.generate.yaml_text import from_yaml
from cdp_contracts.topic_settings import topic_settings
from cdp_contracts.topics import OUTSIDERS, TOPICS, dead_letter_topics
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
PRINT = "import json; from cdp_contracts.generate.__main__ import artifacts; print(json.dumps(artifacts()))"


def test_no_generated_file_is_stale() -> None:
    assert list(stale_files(ROOT)) == [], "run `make contracts`"


def test_the_output_hangs_on_nothing_but_the_registry() -> None:
    outputs = []
    for seed in ("1", "2"):
        command = [sys.executable, "-c", PRINT]
        outputs.append(
            subprocess.check_output(command, env={"PYTHONHASHSEED": seed, "TZ": f"UTC-{seed}"}, text=True)
        )
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0]) == artifacts()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_schema_is_a_schema(topic) -> None:
    schema = json.loads(artifacts()[schema_path(topic.name)])
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert "discriminator" not in json.dumps(schema)


def test_the_broker_gets_every_topic_and_every_dead_letter_topic() -> None:
    document = from_yaml(artifacts()["infra/kafka/topics.yaml"])
    topics = document["topics"]
    assert isinstance(topics, dict)
    assert list(topics) == [topic.name for topic in TOPICS] + list(dead_letter_topics())
    assert document["defaults"] == {"replication_factor": 1, "config": {"min.insync.replicas": 1}}
    for settings in topic_settings():
        written = topics[settings.name]
        assert isinstance(written, dict)
        config = written["config"]
        assert isinstance(config, dict)
        assert written["partitions"] == settings.partitions
        assert {name: str(value) for name, value in config.items()} == dict(settings.config)


def test_the_graph_shows_every_reader_and_writer() -> None:
    graph = artifacts()["contracts/topic-graph.md"].replace("-", "_")
    for topic in TOPICS:
        node = topic.name.replace(".", "_").replace("-", "_")
        for writer in topic.producers:
            assert f"  {writer.replace('-', '_')} __> {node}\n" in graph
        for reader in topic.consumers:
            assert f"  {node} __> {reader.replace('-', '_')}\n" in graph


def test_the_graph_draws_outsiders_round() -> None:
    graph = artifacts()["contracts/topic-graph.md"]
    for name in OUTSIDERS:
        assert f'(["{name}"])' in graph


def test_the_table_has_a_row_for_every_topic_and_links_its_schema() -> None:
    table = artifacts()["contracts/readers-and-writers.md"]
    rows = [line for line in table.splitlines() if line.startswith("| [")]
    assert len(rows) == len(TOPICS)
    for topic, row in zip(TOPICS, rows, strict=True):
        assert f"(schemas/{topic.name}.json)" in row
        assert (ROOT / schema_path(topic.name)).exists()
        assert row.count("|") == 10
