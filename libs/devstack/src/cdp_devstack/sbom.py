"""What each image holds, as CycloneDX: `python -m cdp_devstack.sbom` writes build/sbom/<service>.json by uv.lock.

uv tells the closure of a service with its hashes; the licence of each component is what its installed metadata
says. Exits 1 for a licence that is not on the list below: nothing that ships may be under one that binds others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from email.message import Message
from importlib.metadata import distributions, metadata
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

Bom: TypeAlias = dict[str, Any]  # a CycloneDX document

ROOT: Final = Path.cwd()
OUT: Final = Path("build/sbom")
SHIPPED: Final = ("cdp-collector", "cdp-consent", "cdp-identity", "cdp-profiles", "cdp-segments", "cdp-cli")
PERMISSIVE: Final = frozenset({"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "PSF-2.0", "Unlicense"})
TOLERATED: Final = {"certifi": "MPL-2.0", "tqdm": "MPL-2.0 AND MIT"}
"""Copyleft of single files, which are shipped as they are."""
NAMES: Final = {
    "Apache 2": "Apache-2.0", "Apache Software License": "Apache-2.0", "Apache License, Version 2.0": "Apache-2.0",
    "MIT License": "MIT", "3-Clause BSD License": "BSD-3-Clause", "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC", "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}  # fmt: skip
"""How older metadata calls what SPDX has one name for."""


def bom_of(package: str, root: Path = ROOT) -> Bom:
    """The components that an image of this package holds, each with its licence."""
    command = [
        *(os.environ.get("UV", ".uv/bin/uv"), "export", "--quiet", "--frozen", "--offline", "--no-dev"),
        *("--package", package, "--format", "cyclonedx1.5", "--preview-features", "sbom-export"),
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    bom: Bom = json.loads(done.stdout)
    bom["components"] = [each for each in bom["components"] if not elsewhere(each)]
    for component in bom["components"]:
        component["licenses"] = [{"expression": licence_of(component["name"])}]
    return bom


def elsewhere(component: Bom) -> bool:
    """Whether it is for other systems than this one alone: it has a marker, and is not installed here."""
    marked = any(each["name"] == "uv:package:marker" for each in component.get("properties", ()))
    return marked and not any(distributions(name=component["name"]))


def licence_of(package: str) -> str:
    """The SPDX expression of an installed package's licence, or its own words where they are not known."""
    said = cast("Message", metadata(package))
    classified = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or () if ":: OSI" in line]
    words = [said.get("License-Expression"), *[NAMES.get(each) for each in classified], said.get("License")]
    first = next((each for each in words if each), "unknown").strip().splitlines()[0].strip()
    return NAMES.get(first, first)


def not_permissive(bom: Bom) -> dict[str, str]:
    """Components under a licence that is not on the list, and the licence."""
    licences = {each["name"]: str(each["licenses"][0]["expression"]) for each in bom["components"]}
    return {name: said for name, said in licences.items() if TOLERATED.get(name) != said and not allowed(said)}


def allowed(expression: str) -> bool:
    """Whether an SPDX expression leaves us a way of permissive licences alone."""
    ways = [way.split(" AND ") for way in expression.split(" OR ")]
    return any(all(part.strip("() ") in PERMISSIVE for part in way) for way in ways)


def main() -> int:
    """Write all, and say how many components each holds."""
    OUT.mkdir(parents=True, exist_ok=True)
    wrong: dict[str, str] = {}
    for package in SHIPPED:
        bom = bom_of(package)
        file = OUT / f"{package.removeprefix('cdp-')}.json"
        file.write_text(json.dumps(bom, indent=1) + "\n")
        wrong |= not_permissive(bom)
        print(f"  {file}  {len(bom['components'])} components")
    for name, licence in sorted(wrong.items()):
        print(f"  {name} ships under {licence}, which is not on the list of permissive licences", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
