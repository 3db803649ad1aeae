"""What the segments must hold, computed by polars from the file alone, knowing nothing of the platform."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from cdp_devstack.clickstream import LOGINS, Clickstream

SESSION_GAP: Final = timedelta(minutes=30)
DAY: Final = timedelta(hours=24)


def events(stream: Clickstream) -> pl.DataFrame:
    """The permitted events with the person they belong to: the user once the device logged in, else the device.

    Silent users have none; withdrawing users have those up to the withdrawal.
    """
    frame = pl.DataFrame(
        [(c.row, c.user, c.device, c.event, c.at, c.platform, c.lifecycle) for c in stream.clicks],
        schema=["row", "user", "device", "event", "at", "platform", "lifecycle"],
        orient="row",
    )
    ordered = frame.with_row_index("position")
    withdrawn = ordered.filter(pl.col("row").is_in(list(stream.withdrawal_rows))).select("user", until="position")
    permitted = (
        ordered.join(withdrawn, on="user", how="left")
        .filter(~pl.col("user").is_in(list(stream.silent)))
        .filter(pl.col("until").is_null() | (pl.col("position") <= pl.col("until")))
    )
    logged_in = permitted.filter(pl.col("event").is_in(list(LOGINS))).select("device").unique()
    return permitted.join(logged_in.with_columns(known=True), on="device", how="left").with_columns(
        person=pl.when(pl.col("known")).then("user").otherwise("device")
    )


def sessions(frame: pl.DataFrame) -> pl.DataFrame:
    """The same events with the number of their visit: a new one after 30 minutes without an event."""
    gap = pl.col("at") - pl.col("at").shift(1).over("person")
    return frame.sort("person", "at").with_columns(
        visit=(gap.is_null() | (gap >= SESSION_GAP)).cum_sum().over("person")
    )


def happened(event: str) -> pl.Expr:
    """How often an event happened in a group."""
    return (pl.col("event") == event).sum()


def sizes(stream: Clickstream, now: datetime) -> dict[str, int]:
    """The size of each demo segment as of `now`."""
    frame = sessions(events(stream))
    by_visit = frame.group_by("person", "visit").agg(
        views=happened("product_view"), added=happened("add_to_cart"), bought=happened("purchase")
    )
    by_person = frame.group_by("person").agg(views=happened("product_view"), bought=happened("purchase"))
    logins = frame.filter(pl.col("event").is_in(list(LOGINS))).sort("position")
    told = logins.unique("device", keep="first", maintain_order=True).group_by("person", maintain_order=True)
    recent = frame.filter((pl.col("event") == "product_view") & (pl.col("at") > now - DAY))
    return {
        "engaged-shoppers": persons(by_visit.filter(pl.col("views") > 3)),
        "active-shoppers-24h": persons(recent),
        "cart-no-purchase": persons(by_visit.filter((pl.col("added") >= 1) & (pl.col("bought") == 0))),
        "browses-rarely-buys": persons(by_person.filter((pl.col("views") >= 20) & (pl.col("bought") <= 1))),
        "loyal-mobile": persons(
            told.agg(pl.col("platform").last(), pl.col("lifecycle").last()).filter(
                (pl.col("platform") == "mobile") & (pl.col("lifecycle") == "loyal")
            )
        ),
    }


def persons(frame: pl.DataFrame) -> int:
    """How many different persons."""
    return frame["person"].n_unique()
