"""Where the programs of the servers are, and in which version. Nothing here writes to the disk."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

KAFKA_VERSION: Final = "4.1.2"
SCALA_VERSION: Final = "2.13"
LOG4J_VERSION: Final = "2.24.3"
SECANTUS_VERSION: Final = "0.5.3-beta.193"
KUSTOMIZE_VERSION: Final = "5.7.1"
NODE_EXAMPLE: Final = Path(__file__).parents[4] / "libs" / "client" / "examples" / "node"


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/tessera`, by default `~/.cache/tessera`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "tessera"


def in_package(package: str, pattern: str) -> Path | None:
    """A file of an installed package, found without importing the package; None when it is not there."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    return next(Path(folders[0]).glob(pattern), None) if folders else None


def kafka_jars() -> Path:
    """The folder with the jars of Apache Kafka; it exists only when it is complete."""
    return cache_root() / f"kafka-{KAFKA_VERSION}"


def kafka_archive() -> Path:
    """The classes of a started Kafka as Java keeps them for a quicker start; optional."""
    return cache_root() / f"kafka-{KAFKA_VERSION}.jsa"


def secantusd() -> Path:
    """The MongoDB-wire server built from its crate."""
    return cache_root() / f"secantus-{SECANTUS_VERSION}" / "bin" / "secantusd-rs"


def promtool() -> Path:
    """Prometheus' tool that checks and tests rules."""
    return cache_root() / "promtool"


def kustomize() -> Path:
    """Renders Kubernetes manifests."""
    return cache_root() / f"kustomize-{KUSTOMIZE_VERSION}"


def node_packages() -> Path:
    """What the example in JavaScript needs, as its lock file says: a folder with `node_modules`."""
    lock = (NODE_EXAMPLE / "package-lock.json").read_bytes()
    return cache_root() / f"node-{sha256(lock).hexdigest()[:12]}"


def redis_server() -> Path | None:
    """The Redis (or Valkey) server of this machine."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else None


def java() -> Path | None:
    """The Java runtime: that of JAVA_HOME before the one on the path."""
    home = os.environ.get("JAVA_HOME")
    at_home = Path(home) / "bin" / "java" if home else None
    if at_home is not None and at_home.exists():
        return at_home
    found = shutil.which("java")
    return Path(found) if found else None
