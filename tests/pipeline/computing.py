"""Computed traits for the stories, beside the definitions of infra/definitions."""

from __future__ import annotations

from assembly import TENANT, Pipeline
from cdp_contracts.computed_v1 import ComputedTraitDefined
from cdp_contracts.topics import COMPUTED_TRAITS_DEFINED

EVER = {"kind": "count", "event": "Product Viewed"}
LATELY = {"kind": "sliding", "seconds": 5}
TRAITS = {
    "viewed": EVER,
    "viewed-lately": {**EVER, "window": LATELY},
    "keenness": {
        "kind": "tier", "of": EVER, "tiers": [{"name": "warm", "at_least": 2}, {"name": "hot", "at_least": 4}],
    },
    "favourite": {"kind": "favourite", "event": "Product Viewed", "property": "category"},
}  # fmt: skip


async def define_traits(platform: Pipeline) -> None:
    """Let these be computed from now on."""
    for name, compute in TRAITS.items():
        about = {"tenant": TENANT, "name": name, "title": name, "compute": compute}
        await platform.bus.publish(COMPUTED_TRAITS_DEFINED, ComputedTraitDefined.model_validate(about))
