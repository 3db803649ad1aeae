"""Puts on this machine what the local stack and `make check` need: `python -m cdp_devstack.install`.

Idempotent and safe to run twice at once. Apache Kafka comes through Maven, the MongoDB-wire server is built by
cargo (some minutes, once), Java, Maven, build tools, Node and Redis come through apt where this runs as root. Of
the tools that check what is under `infra/`, promtool is taken out of Debian's package (building it takes five
minutes) and kustomize is built by Go. npm fetches what the example in JavaScript needs, as its lock file says.
What it fetches by itself is kept in `$XDG_CACHE_HOME/tessera` (by default `~/.cache/tessera`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cdp_devstack import cache
from cdp_devstack.preflight import java_check, kafka_check, preflight, redis_check, report, secantus_check
from cdp_devstack.servers import Server, ServerError, free_port
from cdp_devstack.servers.local import ApacheKafka

POM: Final = f"""\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>tessera</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_{cache.SCALA_VERSION}</artifactId>
      <version>{cache.KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{cache.LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class InstallError(RuntimeError):
    """Something that this cannot put right by itself; says what to do."""


def main() -> int:
    """Install what is missing, print each step, end with the report of the preflight. 1 when not all is well."""
    try:
        with only_one():
            system_packages()
            once("Apache Kafka", cache.kafka_jars(), fetch_kafka)
            once("Kafka's class archive", cache.kafka_archive(), archive_kafka)
            once("secantusd-rs", cache.secantusd().parent.parent, build_secantus)
            once("promtool", cache.promtool(), fetch_promtool)
            once("kustomize", cache.kustomize(), build_kustomize)
            once("packages of the Node example", cache.node_packages(), fetch_node_packages)
    except (InstallError, ServerError, subprocess.CalledProcessError) as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 1
    checks = preflight("local")
    print(report(checks))
    return 0 if all(check.ok for check in checks) else 1


@contextmanager
def only_one() -> Iterator[None]:
    """Wait for another installer of this user, which may be doing the same."""
    cache.cache_root().mkdir(parents=True, exist_ok=True)
    with (cache.cache_root() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def system_packages() -> None:
    """Through apt, whatever of Java, Maven, the build tools, Node and Redis is missing and needed."""
    missing = wanted_packages()
    if not missing:
        print("system packages: nothing missing")
        return
    command = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        raise InstallError(f"install these with your package manager: {', '.join(missing)}")
    if os.geteuid() != 0:
        raise InstallError(f"run this as root first: apt-get update && {command}")
    print(f"system packages: {command}", flush=True)
    # RUNLEVEL=1 keeps the package from starting a Redis of the system's own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run(["apt-get", "update", "-qq"], environment)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], environment)


def wanted_packages() -> list[str]:
    """The Debian packages to install, in a stable order."""
    needed: list[tuple[str, bool]] = [
        ("openjdk-17-jre-headless", java_check().ok),
        ("redis-server", redis_check().ok),
        ("nodejs", shutil.which("node") is not None),
        ("npm", shutil.which("npm") is not None),
    ]
    if not kafka_check().ok:
        needed.append(("maven", shutil.which("mvn") is not None))
    if not secantus_check().ok:
        needed.append(("cmake", shutil.which("cmake") is not None))
        needed.append(("build-essential", shutil.which("c++") is not None))
    return [package for package, there in needed if not there]


def once(name: str, target: Path, make: Callable[[Path], None]) -> None:
    """Make an entry of the cache unless it is there; it appears under its name only when it is complete."""
    if target.exists():
        print(f"{name}: kept in {target}")
        return
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=cache.cache_root()) as scratch:
        built = Path(scratch) / "built"
        make(built)
        built.rename(target)
    print(f"{name}: done in {time.monotonic() - started:.0f} s, kept in {target}", flush=True)


def fetch_kafka(target: Path) -> None:
    """The broker's jars and everything they need, into the folder."""
    print(f"Apache Kafka: fetching {cache.KAFKA_VERSION} with Maven (43 MB)", flush=True)
    target.mkdir()
    pom = target.parent / "pom.xml"
    pom.write_text(POM)
    run(
        [
            *("mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", f"-DoutputDirectory={target}"),
        ]
    )


def archive_kafka(target: Path) -> None:
    """Start the broker once and keep the classes it loaded: later starts take half the time."""
    print("Kafka's class archive: starting Apache Kafka once", flush=True)
    server = Server(ApacheKafka(target.parent / "kafka", free_port(), record_classes=target))
    try:
        server.start()
    finally:
        server.stop(seconds=60)
    if not target.exists():
        raise InstallError(f"Java wrote no archive: {server.log.read_text()[-500:]}")


def build_secantus(target: Path) -> None:
    """Build the MongoDB-wire server from its crate: all cores for three or four minutes."""
    cargo = shutil.which("cargo") or shutil.which("cargo", path=str(Path.home() / ".cargo" / "bin"))
    if cargo is None:
        raise InstallError("no cargo here: install Rust (rustup, stable), then run this again")
    print(f"secantusd-rs: building {cache.SECANTUS_VERSION} with cargo (3 to 7 minutes, once)", flush=True)
    crate = ("secantus-mdb", "--version", cache.SECANTUS_VERSION, "--ignore-rust-version", "--locked")
    run(["nice", cargo, "install", "-q", *crate, "--root", str(target)])


def fetch_promtool(target: Path) -> None:
    """Out of Debian's or Ubuntu's package `prometheus`, which is not installed; else the one on the path."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        link(target, "promtool", "install Prometheus with your package manager")
        return
    folder = target.parent / "package"
    folder.mkdir()
    if os.geteuid() == 0:
        run(["apt-get", "update", "-qq"])
    run(["apt-get", "download", "-qq", "prometheus"], folder=folder)
    run(["dpkg-deb", "-x", *(path.name for path in folder.glob("*.deb")), "."], folder=folder)
    (folder / "usr/bin/promtool").rename(target)


def build_kustomize(target: Path) -> None:
    """Build it from its module, which Go checks against the public checksum database; else the one on the path."""
    go = shutil.which("go")
    if go is None:
        link(target, "kustomize", "install Go")
        return
    module = f"sigs.k8s.io/kustomize/kustomize/v5@v{cache.KUSTOMIZE_VERSION}"
    folder = target.parent / "bin"
    run(["nice", go, "install", "-trimpath", module], {**os.environ, "GOBIN": str(folder), "GOFLAGS": ""})
    (folder / "kustomize").rename(target)


def fetch_node_packages(target: Path) -> None:
    """Exactly what the lock file names, each held against its hash; nothing of it is run while it is fetched."""
    target.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(cache.NODE_EXAMPLE / name, target)
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], folder=target)


def link(target: Path, program: str, remedy: str) -> None:
    """Use the program that this machine has."""
    found = shutil.which(program)
    if found is None:
        raise InstallError(f"no {program} here: {remedy}, then run this again")
    target.symlink_to(found)


def run(command: Sequence[str], environment: dict[str, str] | None = None, folder: Path | None = None) -> None:
    """Run a tool with its output shown; CalledProcessError when it fails."""
    subprocess.run(command, check=True, env=environment, cwd=folder, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
