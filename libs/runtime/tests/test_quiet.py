"""What a retrying client may write into the log."""

from __future__ import annotations

import logging

from cdp_runtime.quiet import Sparing


def line(at: float, name: str, text: str, *arguments: object) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, text, arguments, None)
    record.created = at
    return record


def test_a_kind_of_line_passes_once_in_ten_seconds_whatever_its_arguments() -> None:
    sparing = Sparing("aiokafka")
    lines = [line(at, "aiokafka.conn", "no node %s", at) for at in (0, 5, 9.9, 10, 11)]
    passed = [sparing.filter(each) for each in lines]
    assert passed == [True, False, False, True, False]


def test_other_kinds_of_line_and_other_libraries_are_not_held_up() -> None:
    sparing = Sparing("aiokafka")
    assert all(sparing.filter(line(1, "aiokafka", f"kind {n}")) for n in range(3))
    assert sparing.filter(line(1, "aiokafka.conn", "kind 1"))
    assert all(sparing.filter(line(1, "cdp.stage", "waits")) for _ in range(3))
    assert all(sparing.filter(line(1, "aiokafkaesque", "waits")) for _ in range(3))
