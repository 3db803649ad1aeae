"""A receipt as it is printed."""

from __future__ import annotations

import pytest
from cdp_cli.receipt import lines

RECEIPT = {"message_id": "m-1", "outcome": "resolved", "accepted": {}}


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ({}, "to profile ada"),
        ({"merged_into": "bob"}, "to profile ada, since merged into bob"),
        (
            {"merged_into": None, "unmerged_to": "eve", "unmerged_at": "2026-01-05T12:00:00Z"},
            "to profile ada, since unmerged to eve at 2026-01-05T12:00:00Z",
        ),
    ],
)
def test_it_says_whose_an_event_is_by_now(since: dict[str, str | None], said: str) -> None:
    assert f"  resolved    {said}" in lines({**RECEIPT, "resolved": {"profile_id": "ada", **since}})
