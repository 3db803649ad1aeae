"""Answers as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from pydantic import ConfigDict

Example: TypeAlias = dict[str, Any]

ANN: Final = "0198f2a0-6c1e-7a43-9a39-1f0f5ad0a002"
NOON: Final = "2026-03-01T12:00:00Z"
SIZE: Final[Example] = {
    "segment": "engaged-shoppers", "version": 3, "status": "counting", "percent": 40, "size": 1840,
    "population": 52310, "share": 0.0352, "as_of": NOON,
}  # fmt: skip
ACTIVITY: Final[Example] = {
    "segment": "engaged-shoppers", "bucket": "hour",
    "start": "2026-03-01T11:00:00Z", "end": "2026-03-01T13:00:00Z",
    "kept_from": "2025-11-21T00:00:00Z", "size": 1840, "entered": 140, "left": 60, "net": 80, "volatility": 0.1108,
    "buckets": [
        {"start": "2026-03-01T11:00:00Z", "entered": 100, "left": 50, "net": 50, "size": 1810,
         "entered_by": {"event": 100}, "left_by": {"timer": 48, "merge": 2}, "volatility": 0.084},
        {"start": NOON, "entered": 40, "left": 10, "net": 30, "size": 1840,
         "entered_by": {"event": 40}, "left_by": {"timer": 10}, "volatility": 0.0274},
    ],
    "as_of": NOON,
}  # fmt: skip
OVERLAP: Final[Example] = {
    "a": "engaged-shoppers", "b": "cart-abandoners", "size_a": 1840, "size_b": 960, "both": 310, "only_a": 1530,
    "only_b": 650, "jaccard": 0.1245, "lift": 9.18, "population": 52310, "as_of": NOON,
}  # fmt: skip
CONDITION: Final[Example] = {
    "kind": "count", "event": "Product Viewed", "op": ">", "n": 3, "window": {"kind": "sliding", "seconds": 86400},
}  # fmt: skip
SEGMENT: Final[Example] = {
    "name": "engaged-shoppers", "title": "Engaged shoppers", "description": "", "owner": "team-onsite",
    "state": "live", "version": 4, "status": "counting", "percent": 40, "version_in_force": 3,
    "condition": "count(Product Viewed) > 3 in the last 24 h", "size": 1840, "when": CONDITION,
}  # fmt: skip
SEGMENTS: Final[Example] = {
    "segments": [{key: value for key, value in SEGMENT.items() if key != "when"}],
}  # fmt: skip
PREVIEW_ASKED: Final[Example] = {"when": CONDITION, "sample": 10_000, "exact": False}
PREVIEW: Final[Example] = {
    "condition": "count(Product Viewed) > 3 in the last 24 h", "population": 412_000,
    "sample": {"size": 10_000, "matching": 420},
    "estimate": {"size": 17304, "low": 15756, "high": 18996, "share": 0.042, "share_low": 0.03824,
                 "share_high": 0.04611},
    "exact": None, "unknown_parts": [], "bounds": None, "as_of": NOON,
}  # fmt: skip
HISTORY: Final[Example] = {
    "profile_id": ANN, "asked": ANN, "as_of": NOON, "complete_from": None,
    "memberships": [{"profile_id": ANN, "segment": "engaged-shoppers", "since": "2026-03-01T09:30:00Z"}],
    "flips": [
        {"profile_id": ANN, "segment": "engaged-shoppers", "segment_version": 3, "entered": True,
         "at": "2026-03-01T09:30:00Z", "since": None, "cause": "event", "version": 7,
         "reasons": [{"condition": "count(Product Viewed) > 3 in the last 24 h", "satisfied": True, "value": 4,
                      "threshold": 3, "note": None}]},
    ],
    "next": None,
}  # fmt: skip


def shown(example: Example) -> ConfigDict:
    """The example of a frozen model."""
    return ConfigDict(frozen=True, json_schema_extra={"examples": [example]})
