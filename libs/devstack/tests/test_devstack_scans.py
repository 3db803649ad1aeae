"""The scans find what they are there for, and the threat model leads to tests that exist."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cdp_devstack import audit, sbom
from cdp_devstack.secret_scan import found_in

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "infra/threat-model.md"


def test_the_threat_model_leads_to_tests_that_exist() -> None:
    links = re.findall(r"\]\(([^)]+)\)", MODEL.read_text())
    assert len(links) >= 15
    assert [link for link in links if not (MODEL.parent / link).is_file()] == []


@pytest.mark.parametrize(
    ("licence", "good"),
    [
        ("MIT", True),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-2.0-only", False),
        ("MIT AND AGPL-3.0-only", False),
        ("LGPL-3.0-or-later", False),
        ("unknown", False),
    ],
)
def test_only_permissive_licences_may_ship(licence: str, good: bool) -> None:
    assert sbom.allowed(licence) is good


def test_an_image_is_listed_whole_and_alone_with_licences() -> None:
    bom = sbom.bom_of("cdp-profiles", ROOT)
    found = {each["name"]: each for each in bom["components"]}
    wanted = tomllib.loads((ROOT / "libs/runtime/pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[\[<>=; ]", each)[0] for each in wanted}
    assert names <= found.keys()
    assert {"starlette", "pymongo", "cdp-runtime", "cdp-contracts"} <= found.keys()
    assert not found.keys() & {"pytest", "cdp-segments", "cdp-devstack", "secantusdb", "hypothesis"}
    assert sbom.not_permissive(bom) == {}
    bom["components"].append({"name": "secantusdb", "licenses": [{"expression": "GPL-2.0-only"}]})
    assert sbom.not_permissive(bom) == {"secantusdb": "GPL-2.0-only"}


def test_a_secret_is_found_and_an_allowed_line_is_not(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    token = "ghp_" + "A1b2" * 9
    file.write_text(f'token = "{token}"\n')
    assert found_in([str(file)])
    file.write_text(f'token = "{token}"  # pragma: allowlist secret\n')
    assert not found_in([str(file)])


def test_unsafe_code_is_found(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import yaml\nyaml.load(open('x'))\n")
    command = [sys.executable, "-m", "bandit", "-q", "-c", str(ROOT / "pyproject.toml"), "-r", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([], audit.UNKNOWN),
        ([{"name": "a", "skip_reason": "not found"}], audit.UNKNOWN),
        ([{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}], audit.UNKNOWN),
        ([{"name": "a", "version": "1", "vulns": []}], audit.CLEAN),
        ([{"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}, {"name": "b", "skip_reason": "-"}], 1),
    ],
)
def test_what_was_not_looked_up_is_not_clean(answers: list[dict[str, Any]], code: int) -> None:
    assert audit.verdict(answers)[0] == code
