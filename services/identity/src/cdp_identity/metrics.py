"""What the graph was protected from, in numbers without people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter

from cdp_identity.domain.facts import Resolution

REFUSED: Final = Counter("cdp_identity_merges_refused", "Merges that were refused, as often as told", ("limit",))
BLOCKED: Final = Counter("cdp_identity_identifiers_blocked", "Identifiers blocked by their fan-in", ("kind",))
CUSTOM: Final = "external"


def count(resolutions: Iterable[Resolution]) -> None:
    """Add a batch. Kinds that senders made up count as one."""
    for resolution in resolutions:
        for refusal in resolution.refusals:
            name = refusal.limit.partition(":")[0]
            REFUSED.labels(CUSTOM if name.startswith(CUSTOM) else name).inc()
        for identifier in resolution.blocked:
            BLOCKED.labels(CUSTOM if identifier.kind.startswith(CUSTOM) else identifier.kind).inc()
