"""A real shop's clickstream, and the story that the demo tells with it.

The file is `ecom.csv.gz` of the package retentioneering (Apache-2.0): 31,106 events of 600 users. It is read
from the installed package, never imported and never copied. Times are shifted so that the last event is now.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

EVENT_NAMES: Final = {
    "product_view": "Product Viewed",
    "catalog": "Product List Viewed",
    "search": "Products Searched",
    "filter_results": "Product List Filtered",
    "add_to_cart": "Product Added",
    "cart": "Cart Viewed",
    "shipping_details": "Checkout Started",
    "payment_details": "Payment Info Entered",
    "purchase": "Order Completed",
    "wishlist_add": "Product Added to Wishlist",
    "promo_page": "Promotion Viewed",
    "review_page": "Product Reviewed",
    "support_chat": "Support Chat Opened",
    "compare": "Products Compared",
    "payment_error": "Payment Failed",
    "checkout_bug": "Checkout Failed",
    "error_page": "Error Shown",
}
PAGES: Final = {"home": "Home", "account_page": "Account"}
LOGINS: Final = frozenset({"account_page", "shipping_details", "purchase"})


@dataclass(frozen=True, slots=True)
class Click:
    """One row of the file."""

    row: int
    user: str
    session: str
    event: str
    at: datetime
    platform: str
    channel: str
    cohort: str
    lifecycle: str

    @property
    def device(self) -> str:
        """The device it happened on: one a user and platform."""
        return f"{self.user}-{self.platform}"


class Clickstream:
    """The clicks in the order of time, shifted so that the last one happens at `ends`.

    With `every`, only those of every so-many-th user: a smaller shop with the same habits.
    """

    def __init__(self, ends: datetime, path: Path | None = None, *, every: int = 1) -> None:
        found = list(read(path or installed_file()))
        users = frozenset(sorted({click.user for click in found})[::every])
        rows = sorted((c for c in found if c.user in users), key=lambda click: (click.at, click.row))
        shift = ends - rows[-1].at
        self.clicks = tuple(replace(click, at=click.at + shift) for click in rows)

    @cached_property
    def devices(self) -> dict[str, frozenset[str]]:
        """The devices of each user."""
        found: dict[str, set[str]] = {}
        for click in self.clicks:
            found.setdefault(click.user, set()).add(click.device)
        return {user: frozenset(devices) for user, devices in found.items()}

    @cached_property
    def silent(self) -> frozenset[str]:
        """Users who never answer the question for consent: every seventh (14 %)."""
        return frozenset(user for n, user in enumerate(sorted(self.devices)) if n % 7 == 3)

    @cached_property
    def withdrawing(self) -> frozenset[str]:
        """Users who withdraw half way: every fiftieth of those with one device.

        One device, because choices and events of one device keep their order; across devices a withdrawal
        and a page view of the same second have none.
        """
        eligible = [u for u in sorted(self.devices) if len(self.devices[u]) == 1 and u not in self.silent]
        return frozenset(eligible[::50])

    @cached_property
    def withdrawal_rows(self) -> frozenset[int]:
        """The row at which each withdrawing user has had half of his or her events."""
        rows: dict[str, list[int]] = {user: [] for user in self.withdrawing}
        for click in self.clicks:
            if click.user in rows:
                rows[click.user].append(click.row)
        return frozenset(mine[len(mine) // 2] for mine in rows.values() if len(mine) > 1)

    def __len__(self) -> int:
        return len(self.clicks)


def installed_file() -> Path:
    """Where the package's data set lies on this machine."""
    found = distribution("retentioneering").locate_file("retentioneering/datasets/ecom.csv.gz")
    return Path(str(found))


def read(path: Path) -> Iterator[Click]:
    """Every row of the file."""
    with gzip.open(path, "rt", newline="") as file:
        for n, row in enumerate(csv.DictReader(file)):
            yield Click(
                row=n,
                user=row["user_id"],
                session=row["session_id"],
                event=row["event"],
                at=datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC),
                platform=row["platform"],
                channel=row["acquisition_channel"],
                cohort=row["user_cohort"],
                lifecycle=row["user_lifecycle"],
            )
