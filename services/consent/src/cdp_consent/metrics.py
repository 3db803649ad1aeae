"""What the gate decided, in numbers without people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter as Metric

from cdp_consent.domain.decision import Verdict, Withheld

DECISIONS: Final = Metric("cdp_consent_decisions", "Events decided, by verdict", ("verdict", "reason"))


def count(verdicts: Iterable[Verdict]) -> None:
    """Add a batch; the reason is a code, and empty for what was permitted."""
    reasons = Counter(v.reason if isinstance(v, Withheld) else "" for v in verdicts)
    for reason, n in reasons.items():
        DECISIONS.labels("withheld" if reason else "permitted", reason).inc(n)
