"""The numbered facts of the demo: each measured, each held against what must be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cdp_cli.ledger import Row
from rich.console import Console
from rich.table import Table

from cdp_devstack import expected
from cdp_devstack.api import Api
from cdp_devstack.clickstream import LOGINS, Clickstream
from cdp_devstack.replay import Sent


class Facts:
    """Prints facts with their numbers and keeps those that are wrong."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.count = 0
        self.wrong: list[str] = []

    def fact(self, text: str, *, holds: bool = True) -> None:
        """One fact."""
        self.count += 1
        if not holds:
            self.wrong.append(text)
        mark = "[green]✓[/]" if holds else "[bold red]✗[/]"
        self.console.print(f"\n{mark} [bold]{self.count}.[/] {text}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Figures below a fact; the first column is text."""
        table = Table(box=None, padding=(0, 2), pad_edge=False)
        for n, column in enumerate(columns):
            table.add_column(column, justify="left" if n == 0 else "right")
        for row in rows:
            table.add_row(*row)
        self.console.print(table, new_line_start=True)

    def conservation(self, sent: Sent, ledger: Sequence[Row]) -> None:
        """In = out, to the event."""
        validator, gate, resolver, writer, merging, *_ = ledger
        total = sent.events + sent.invalid + sent.copies
        dead = sum(row.outcomes["dead-lettered"] for row in ledger)
        right = (
            not any(row.outcomes["lost"] or row.outcomes["in flight"] for row in ledger)
            and validator.read == total
            and validator.outcomes["rejected"] == sent.invalid
            and validator.outcomes["duplicates"] == sent.copies
            and writer.outcomes["out"] == resolver.outcomes["out"]
            and dead == 0
            and not sent.errors
        )
        self.fact(f"{total:,} events went in and {total:,} came out, each by exactly one exit.", holds=right)
        rows = [
            ("sent by the client", total),
            ("accepted by the edge", validator.read),
            ("- rejected: they break the tracking plan", validator.outcomes["rejected"]),
            ("- duplicates: the client sent them twice", validator.outcomes["duplicates"]),
            ("- withheld: the person said no, or never answered", gate.outcomes["withheld"]),
            ("- dead-lettered", dead),
            ("= resolved to a person and applied to a profile", writer.outcomes["out"]),
            ("merges of two profiles into one", merging.outcomes["out"]),
        ]
        self.table(("", "events"), [(what, f"{number:,}") for what, number in rows])

    async def withheld(self, api: Api, stream: Clickstream) -> None:
        """Nothing is known of somebody who never answered."""
        user = min(stream.silent)
        devices = stream.devices[user]
        found = [await api.profile(user_id=user), *[await api.profile(anonymous_id=device) for device in devices]]
        events = sum(1 for click in stream.clicks if click.user == user)
        self.fact(
            f"A visitor who never answered the question for consent made {events} clicks: no profile exists, by "
            "user id or by device.",
            holds=not any(found),
        )

    async def merged(self, api: Api, stream: Clickstream) -> None:
        """Two devices became one person by their logins."""
        known = {click.device for click in stream.clicks if click.event in LOGINS}
        eligible = [u for u in sorted(stream.devices) if u not in stream.silent and u not in stream.withdrawing]
        user = next(u for u in eligible if len(stream.devices[u] & known) > 1)
        devices = sorted(stream.devices[user] & known)
        profiles = [await api.profile(anonymous_id=device) for device in devices]
        ids = {profile["id"] for profile in profiles if profile}
        together = " and ".join(device.rsplit("-", 1)[1] for device in devices)
        self.fact(
            f"A login on {together} made {len(devices)} anonymous devices one person.",
            holds=len(ids) == 1 and all(profiles),
        )
        if profiles[0]:
            self.console.print_json(data=profiles[0], indent=2)

    async def sizes(self, api: Api, stream: Clickstream) -> None:
        """Segment sizes beside those that polars computes from the file."""
        measured = await api.sizes()
        computed = expected.sizes(stream, datetime.now(UTC))
        self.fact(
            "Segment sizes equal what polars computes from the file alone.",
            holds=all(measured.get(name) == size for name, size in computed.items()),
        )
        rows = [(name, f"{measured.get(name, -1):,}", f"{size:,}") for name, size in computed.items()]
        self.table(("segment", "Tessera", "polars"), rows)
