"""`python -m cdp_contracts.generate`: writes, checks, refuses what breaks, says who is deployed first."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cdp_contracts.generate.__main__ import main
from cdp_contracts.generate.yaml_text import from_yaml, to_yaml

PERMITTED = "contracts/schemas/cdp.events.permitted.v1.json"
SEGMENTS = "contracts/schemas/cdp.segments.defined.v1.json"
MEMBERSHIP = "contracts/schemas/cdp.segments.membership-changed.v1.json"
TOPICS_YAML = "infra/kafka/topics.yaml"

Edit = Callable[[dict[str, Any]], object]


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A Person", "-c", "user.email=person@example.org"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository in which everything is released as the registry says now."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "pyproject.toml").write_text("")
    git(tmp_path, "init", "-q")
    assert main(["--root", str(tmp_path)]) == 0
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "release")


def released_otherwise(root: Path, path: str, edit: Edit) -> str:
    """Pretend that this schema was released; the registry of now is then the change. Returns its text."""
    schema = json.loads((root / path).read_text())
    edit(schema)
    (root / path).write_text(json.dumps(schema, indent=2) + "\n")
    commit(root)
    return (root / path).read_text()


def test_the_first_run_writes_everything_and_the_second_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["--root", str(repository)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["--root", str(repository), "--check"]) == 0


def test_check_names_the_stale_files_and_writes_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "contracts" / "topic-graph.md").write_text("old")
    (repository / "contracts" / "asyncapi.yaml").unlink()
    capsys.readouterr()
    assert main(["--root", str(repository), "--check"]) == 1
    said = capsys.readouterr().out
    assert "stale: contracts/topic-graph.md" in said
    assert "stale: contracts/asyncapi.yaml" in said
    assert (repository / "contracts" / "topic-graph.md").read_text() == "old"


def test_an_added_optional_field_is_written_and_readers_go_first(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = released_otherwise(repository, PERMITTED, lambda schema: schema["properties"].pop("flags"))
    assert main(["--root", str(repository)]) == 0
    said = capsys.readouterr().out
    assert (
        "cdp.events.permitted.v1: compatible both ways: "
        "deploy readers first (identity-resolver), then writers (consent-gate)" in said
    )
    assert (repository / PERMITTED).read_text() != before


def require_flags(schema: dict[str, Any]) -> None:
    schema["required"].append("flags")


def retype_source(schema: dict[str, Any]) -> None:
    schema["properties"]["source"] = {"type": "integer"}


def add_a_field(schema: dict[str, Any]) -> None:
    schema["properties"]["campaign"] = {"type": "string", "default": ""}


def free_the_policy(schema: dict[str, Any]) -> None:
    del schema["$defs"]["Decision"]["properties"]["policy"]["type"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            require_flags,
            "breaking, readers first: make it a new version, or accept the order with --readers-first",
        ),
        (add_a_field, "breaking, readers first"),
        (free_the_policy, "breaking, writers first: the topic keeps old messages for 72 h"),
        (retype_source, "breaking, no order works: make it a new version"),
    ],
)
def test_a_breaking_change_is_refused_and_nothing_is_written(
    repository: Path, capsys: pytest.CaptureFixture[str], edit: Edit, said: str
) -> None:
    before = released_otherwise(repository, PERMITTED, edit)
    (repository / "contracts" / "topic-graph.md").write_text("old")
    for mode in ([], ["--check"]):
        capsys.readouterr()
        assert main(["--root", str(repository), *mode]) == 2
        printed = capsys.readouterr().out
        assert f"REFUSED cdp.events.permitted.v1: {said}" in printed
        assert "nothing was written" in printed
        assert (repository / PERMITTED).read_text() == before
        assert (repository / "contracts" / "topic-graph.md").read_text() == "old"


def without_in_session(schema: dict[str, Any]) -> None:
    text = json.dumps(schema)
    text = text.replace(', {"$ref": "#/$defs/InSession", "required": ["kind"]}', "")
    schema.clear()
    schema.update(json.loads(text))


def test_a_new_kind_of_condition_can_be_accepted_by_name_where_all_readers_are_ours(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released_otherwise(repository, SEGMENTS, without_in_session)
    assert main(["--root", str(repository)]) == 2
    assert "no variant for kind 'in_session'" in capsys.readouterr().out
    assert main(["--root", str(repository), "--readers-first", "cdp.segments.defined.v1"]) == 0
    assert "one way, accepted by name: deploy readers first" in capsys.readouterr().out


def test_a_new_value_is_never_accepted_where_outsiders_read(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released_otherwise(
        repository,
        MEMBERSHIP,
        lambda s: s["$defs"]["MembershipChange"]["properties"]["cause"]["enum"].remove("timer"),
    )
    capsys.readouterr()
    assert main(["--root", str(repository), "--readers-first", "cdp.segments.membership-changed.v1"]) == 2
    assert "subscribers cannot be deployed first; make it a new version" in capsys.readouterr().out


@pytest.mark.parametrize(("word", "value"), [("partitions", 3), ("key", "profile_id")])
def test_key_and_partitions_are_fixed_for_a_topics_life(
    repository: Path, capsys: pytest.CaptureFixture[str], word: str, value: object
) -> None:
    document: Any = from_yaml((repository / TOPICS_YAML).read_text())
    document["topics"]["cdp.events.permitted.v1"][word] = value
    (repository / TOPICS_YAML).write_text(to_yaml(document))
    commit(repository)
    capsys.readouterr()
    assert main(["--root", str(repository)]) == 2
    assert f"REFUSED cdp.events.permitted.v1: {word} was {value}" in capsys.readouterr().out


def test_a_topic_ends_only_when_somebody_says_so(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = repository / "contracts/schemas/cdp.carts.abandoned.v1.json"
    gone.write_text('{"type": "object"}\n')
    commit(repository)
    assert main(["--root", str(repository)]) == 2
    assert "REFUSED cdp.carts.abandoned.v1: was released and is gone" in capsys.readouterr().out
    assert main(["--root", str(repository), "--retire", "cdp.carts.abandoned.v1"]) == 0
    assert not gone.exists()


def test_deleting_the_files_does_not_open_the_gate(repository: Path) -> None:
    released_otherwise(repository, PERMITTED, retype_source)
    (repository / PERMITTED).unlink()
    assert main(["--root", str(repository)]) == 2


def test_without_history_the_files_on_disk_are_what_was_released(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "pyproject.toml").write_text("")
    assert main(["--root", str(tmp_path)]) == 0
    schema = json.loads((tmp_path / PERMITTED).read_text())
    retype_source(schema)
    (tmp_path / PERMITTED).write_text(json.dumps(schema))
    assert main(["--root", str(tmp_path)]) == 2


def test_an_older_revision_can_be_what_was_released(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released_otherwise(repository, PERMITTED, lambda schema: schema["properties"].pop("flags"))
    assert main(["--root", str(repository)]) == 0
    commit(repository)
    capsys.readouterr()
    assert main(["--root", str(repository), "--check"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["--root", str(repository), "--check", "--against", "HEAD~1"]) == 0
    assert "compatible both ways" in capsys.readouterr().out
    assert main(["--root", str(repository), "--check", "--against", "no-such-branch"]) == 2
    assert "git knows no revision no-such-branch" in capsys.readouterr().out


def test_another_folder_is_not_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 2
    assert "is not the root of the repository; name it with --root" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
