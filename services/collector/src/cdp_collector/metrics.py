"""What the service counts beside the runtime's own metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

STORED: Final = Counter("cdp_collector_events_stored", "Events acknowledged by the log", ("tenant", "source"))
REFUSED: Final = Counter("cdp_collector_events_refused", "Events the edge could not carry", ("tenant", "rule"))
REQUESTS: Final = Counter("cdp_collector_requests", "Requests by how they were answered", ("code",))
REJECTED: Final = Counter("cdp_collector_events_rejected", "Events that broke a rule", ("tenant", "rule"))
BROWSERS: Final = Counter(
    "cdp_collector_browsers", "Requests by what their cookie is worth", ("tenant", "outcome")
)
NOT_KEPT: Final = Counter("cdp_collector_receipts_not_kept", "Receipts that Redis had no room to add to")
DUPLICATES: Final = Counter("cdp_collector_duplicates", "Copies of events that had come before", ("tenant",))
