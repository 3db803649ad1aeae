"""Who may import whom: `.importlinter` holds in the tree, and a planted violation of each rule is seen."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")
# The rule, the module that is made to break it, and what that module is made to import.
PLANTED = (
    ("A service never imports another", "cdp_profiles.handlers", "cdp_identity.domain"),
    ("Services stand on libraries, libraries on contracts", "cdp_runtime.clock", "cdp_segments.domain"),
    ("What a service runs is no tool for tests, terminals or laptops", "cdp_consent.app", "cdp_testkit.bus"),
    ("In a service: app, api, handlers, store, domain", "cdp_collector.store", "cdp_collector.api"),
    ("A domain decides: no drivers, no frameworks, no event loop", "cdp_identity.domain.facts", "asyncio"),
    ("Handlers load, decide, save and emit: no drivers, no frameworks", "cdp_segments.handlers", "motor"),
    ("Contracts need pydantic alone", "cdp_contracts.topics", "yaml"),
)
RULES = [rule for rule, _, _ in PLANTED]


def lint(folder: Path) -> str:
    """What import-linter says of the packages in a folder, or of the installed ones."""
    command = [str(LINT), "--config", str(folder / ".importlinter"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of a copy in which every rule is broken once."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / ".importlinter", copy)
    for package in ROOT.glob("*/src/*"), ROOT.glob("*/*/src/*"):
        for source in package:
            shutil.copytree(source, copy / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    for _, importer, module in PLANTED:
        with (copy / f"{importer.replace('.', '/')}.py").open("a") as file:
            file.write(f"\nimport {module}\n")
    return lint(copy)


def test_the_tree_keeps_every_rule() -> None:
    said = lint(ROOT)
    assert f"{len(RULES)} kept, 0 broken" in said, said


def said_of(rule: str, report: str) -> str:
    """The part of a report that details how a rule is broken."""
    title = f"{rule}\n{'-' * len(rule)}\n"
    _, _, rest = report.partition(title)
    return rest.partition("\n---")[0]


@pytest.mark.parametrize(("rule", "importer", "module"), PLANTED, ids=RULES)
def test_a_planted_violation_is_seen(broken: str, rule: str, importer: str, module: str) -> None:
    assert f"{rule} BROKEN" in broken, broken
    assert f"{importer} -> {module} (l." in said_of(rule, broken), broken


def test_every_rule_is_planted() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    rules = {
        config[section]["name"] for section in config.sections() if section.startswith("importlinter:contract")
    }
    assert rules == set(RULES)


def test_every_package_of_the_workspace_is_looked_at() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    packages = {path.name for pattern in ("*/src/*", "*/*/src/*") for path in ROOT.glob(pattern) if path.is_dir()}
    assert set(config["importlinter"]["root_packages"].split()) == packages
