"""What happens while one watches: entering, leaving by the clock, one trace, latencies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import polars as pl

from cdp_devstack.api import Api, Json, Traced
from cdp_devstack.facts import Facts
from cdp_devstack.listener import Heard, Listener
from cdp_devstack.running import Running, say

THIRD_VIEW: Final = "third-view"
FLASH: Final = "flash-visitors"
OFFER_SEEN: Final = "offer-seen"
WINDOW_SECONDS: Final = 5
PROBES: Final = 300
PROBES_PER_SECOND: Final = 50
WAY: Final = (
    "collector-http",
    "collector-validator",
    "consent-gate",
    "identity-resolver",
    "profiles-writer",
    "segments-evaluator",
)


async def live_facts(up: Running, api: Api, facts: Facts) -> None:
    """Send a few events by hand and watch."""
    async with Listener(up.stack.kafka) as listener:
        await entering(api, facts, listener)
        await tracing(up, api, facts, listener)
        await latency(api, facts, listener)
        await leaving(facts, listener)


async def entering(api: Api, facts: Facts, listener: Listener) -> None:
    """A new visitor views a product three times."""
    say("a new visitor views three products")
    views = [await api.track("Product Viewed", "demo-visitor") for _ in range(3)]
    entered = await listener.first(lambda heard: heard.change.segment == THIRD_VIEW and caused_by(heard, views))
    why = "; ".join(f"{reason.condition}: {reason.value}" for reason in entered.change.reasons)
    facts.fact(
        f"The third view brought the visitor into “{THIRD_VIEW}” after {entered.seconds * 1000:.0f} ms. Why: {why}"
    )
    explained = await api.explain(THIRD_VIEW, str(entered.message.profile_id))
    facts.console.print_json(data=explained, indent=2)
    facts.wrong.extend([] if member(explained) else ["explain says that the visitor is not a member"])


def caused_by(heard: Heard, sent: Sequence[Traced]) -> bool:
    """Whether somebody entered because of one of these events."""
    return heard.change.member and heard.message.message_id in {one.message_id for one in sent}


def member(explained: Json) -> bool:
    """Whether an explanation says that the person is in the segment."""
    return bool(explained["member"])


async def tracing(up: Running, api: Api, facts: Facts, listener: Listener) -> None:
    """One event, sampled, through all hops."""
    say("one event with a sampled trace")
    sent = await api.track("Flash Offer Viewed", "traced-visitor", sampled=True)
    await listener.first(lambda heard: heard.message.message_id == sent.message_id)
    spans = up.traces.trace(sent.trace_id)
    deadline = time.monotonic() + 15
    while not {span.service for span in spans}.issuperset(WAY) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        spans = up.traces.trace(sent.trace_id)
    spans = [span for span in spans if span.service in WAY]
    passed = len({span.service for span in spans})
    facts.fact(
        f"One trace leads from the HTTP request through {passed} roles to the membership event.",
        holds=passed == len(WAY),
    )
    start = spans[0].start if spans else 0
    rows = [
        (span.service, span.name, f"{(span.start - start) / 1e6:.1f}", f"{(span.end - span.start) / 1e6:.1f}")
        for span in spans
    ]
    facts.table(("role", "span", "at ms", "took ms"), rows)


async def latency(api: Api, facts: Facts, listener: Listener) -> None:
    """Steady traffic at a fixed rate, whatever the answers take; each event flips one membership."""
    say(f"{PROBES} events at {PROBES_PER_SECOND} a second, each by a visitor who enters a segment")
    started = time.monotonic()
    sending = []
    for n in range(PROBES):
        await asyncio.sleep(max(0.0, started + n / PROBES_PER_SECOND - time.monotonic()))
        sending.append(asyncio.create_task(api.track("Flash Offer Viewed", f"probe-{n}")))
    ids = {sent.message_id for sent in await asyncio.gather(*sending)}
    deadline = time.monotonic() + 30
    while len(entries(listener, ids)) < len(ids) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    seconds = pl.Series([heard.seconds * 1000 for heard in entries(listener, ids)])
    facts.fact(
        f"From received to membership, at the subscriber ({len(seconds)} of {len(ids)} events):",
        holds=len(seconds) == len(ids),
    )
    figures = [f"{seconds.quantile(q, 'nearest') or 0:.0f} ms" for q in (0.5, 0.95, 0.99)]
    facts.table(("", "p50", "p95", "p99"), [("latency", *figures)])


def entries(listener: Listener, ids: set[str]) -> list[Heard]:
    """The entry that each of these events caused."""
    found: dict[str, Heard] = {}
    for heard in listener.heard:
        if heard.message.message_id in ids and heard.change.segment == OFFER_SEEN and heard.change.member:
            found.setdefault(heard.message.message_id, heard)
    return list(found.values())


async def leaving(facts: Facts, listener: Listener) -> None:
    """A window of seconds passes, and nothing is sent."""
    say(f"nothing is sent for {WINDOW_SECONDS} seconds")
    entered = next(h for h in reversed(listener.heard) if h.change.segment == FLASH and h.change.member)
    person = entered.message.profile_id
    left = await listener.first(
        lambda h: h.message.profile_id == person and h.change.segment == FLASH and not h.change.member
    )
    due = entered.change.expires_at
    late = (left.at - due).total_seconds() if due else -1.0
    facts.fact(
        f"With no event at all, a visitor left “{FLASH}” {late:.1f} s after the window of {WINDOW_SECONDS} s had "
        f"passed (cause: {left.change.cause}).",
        holds=left.change.cause == "timer" and late >= 0,
    )
