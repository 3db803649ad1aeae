"""How destinations take what is sent to them."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

DELIVERIES: Final = Counter(
    "cdp_deliveries", "Tries and ends of deliveries, by what became of them", ("destination", "outcome")
)
OLDEST: Final = Gauge("cdp_delivery_oldest_seconds", "Age of the oldest flip not yet delivered", ("destination",))
