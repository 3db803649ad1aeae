"""Capacity follows from a benchmark's rows, and says nothing that was not measured."""

from __future__ import annotations

from infra.generate.capacity import Measured, lines


def test_rows_become_what_an_operator_asks_for() -> None:
    rows = [
        Measured("CPU an event at 250/s, consent-gate", 125.0, "us", 2),
        Measured("highest rate kept up with, end to end", 500.0, "events/s", 2),
        Measured("memory, consent-gate", 91.4, "MB", 2),
        Measured("bytes a profile", 2048.0, "bytes", 2),
        Measured("bytes a message on cdp.events.validated.v1", 500.0, "bytes", 2),
        Measured("stage relay beside bare aiokafka", 15_000.0, "messages/s", 2),
    ]
    assert dict(lines(rows)) == {
        "at 250/s, consent-gate": "8,000 events/s a core",
        "all services, with servers and load on the same cores": "250 events/s a core",
        "memory, consent-gate": "91 MB",
        "a million profiles": "2.0 GB",
        "cdp.events.validated.v1 at 1,000/s": "43.2 GB a day",
        "cdp.events.validated.v1, all that is kept": "129.6 GB a replica",
    }


def test_what_was_not_measured_is_left_out() -> None:
    assert list(lines([])) == []
