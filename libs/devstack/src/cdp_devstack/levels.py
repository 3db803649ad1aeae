"""Runs the tests level by level, bottom to top; prints each with its count and time, and what was left out."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import pytest

Needs = Literal["python", "local"]
Result: TypeAlias = tuple[int, dict[str, int], float]

ROOT: Final = Path.cwd()
TAIL: Final = re.compile(r"(\d+) (passed|failed|skipped|deselected|xfailed|error|errors)")
EVERY_SOURCE: Final = ("contracts/tests", "libs", "services", "tests")


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the pyramid: where its tests are, how they are chosen, what they need.

    Tests that wait for servers more than they compute are spread over workers, each with its own servers. Levels
    without workers run beside each other, each in one process.
    """

    name: str
    paths: tuple[str, ...]
    marks: str
    needs: Needs = "python"
    workers: int = 0


LEVELS: Final = (
    Level("contracts", ("contracts/tests",), "not wire and not stack"),
    Level("libraries", ("libs",), "not wire and not stack"),
    Level("services", ("services",), "not wire and not stack"),
    Level("pipeline, handbook, architecture", ("tests",), "not wire and not stack"),
    Level("wire (embedded servers)", EVERY_SOURCE, "wire", workers=4),
    Level("stack (local servers)", EVERY_SOURCE, "stack", "local", workers=3),
)


def run(level: Level) -> Result:
    """Run one level: pytest's exit code, how many of each outcome, seconds."""
    started = time.monotonic()
    paths = [path for path in level.paths if (ROOT / path).exists()]
    options = ["-q", "--no-header", "-m", level.marks, "-n", str(level.workers), "--dist", "loadgroup"]
    command = [sys.executable, "-m", "pytest", *options, *paths]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    counts = {word: int(number) for number, word in TAIL.findall(done.stdout.rstrip().rsplit("\n", 1)[-1])}
    if done.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        print(done.stdout)
    return done.returncode, counts, time.monotonic() - started


def results(levels: Sequence[Level]) -> Iterator[tuple[Level, Result]]:
    """Run these, and tell of each as it ends: first those that only compute, on two cores, then the others."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {pool.submit(run, level): level for level in reversed(levels) if not level.workers}
        for done in as_completed(running):
            yield running[done], done.result()
    for level in levels:
        if level.workers:
            yield level, run(level)


def main(what: str) -> int:
    """Run `test` (all that needs only Python) or `check` (everything); the exit code is 1 if anything failed."""
    chosen = [level for level in LEVELS if what == "check" or level.needs == "python"]
    failed = passed = skipped = 0
    for level, (code, counts, seconds) in results(chosen):
        good = code == pytest.ExitCode.OK
        failed += 0 if good else max(1, counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0))
        passed += counts.get("passed", 0)
        skipped += counts.get("skipped", 0)
        sign = "ok" if good else "FAILED"
        print(f"  {sign:<7} {level.name:<34} {counts.get('passed', 0):>5} passed  {seconds:6.1f} s", flush=True)
    for level in LEVELS:
        if level not in chosen:
            print(f"  left out: {level.name} — `make check` runs it")
    if what == "check" and skipped:
        print(f"  {skipped} skipped: nothing may be skipped here")
        failed += skipped
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
