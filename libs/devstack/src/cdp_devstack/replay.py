"""Sends the clickstream through the HTTP edge with the unmodified `segment-analytics-python` client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias

from segment.analytics.client import Client

from cdp_devstack.clickstream import EVENT_NAMES, LOGINS, PAGES, Click, Clickstream

Progress: TypeAlias = Callable[[int], None]

CONSENT_EVENT: Final = "Segment Consent Preference Updated"
GRANT: Final = {"Analytics": True, "Functional": True, "Advertising": False}
DENY: Final = {"Analytics": False, "Functional": False, "Advertising": False}
INVALID: Final = 25
COPIES: Final = 200
QUEUE: Final = 10_000
BEFORE: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the client's API."""

    method: str
    message_id: str
    arguments: Mapping[str, object]


@dataclass(slots=True)
class Sent:
    """What the replay did, counted by itself."""

    events: int = 0
    invalid: int = 0
    copies: int = 0
    errors: list[str] = field(default_factory=list)


def story(stream: Clickstream, run: str) -> Iterator[Call]:
    """Every call, in the order of time.

    On a device's first click its person answers the question for consent, or never does. A login is sent
    once a device, at the first account page, checkout or purchase; from then on events carry the user id.
    Some users withdraw half way. `run` prefixes the message ids: the same run sent again is a copy.
    """
    asked: set[str] = set()
    logged_in: set[str] = set()
    for click in stream.clicks:
        if click.device not in asked:
            asked.add(click.device)
            if click.user not in stream.silent:
                yield consent(click, f"{run}-consent-{click.device}", GRANT)
        if click.event in LOGINS and click.device not in logged_in:
            logged_in.add(click.device)
            yield login(click, f"{run}-login-{click.device}")
        yield tracked(click, f"{run}-{click.row}", user=click.device in logged_in)
        if click.row in stream.withdrawal_rows:
            yield consent(click, f"{run}-withdrawal-{click.device}", DENY)


def consent(click: Click, message_id: str, choice: dict[str, bool]) -> Call:
    """The person's answer, as Segment's consent wrappers send it."""
    return Call(
        "track",
        message_id,
        {
            "event": CONSENT_EVENT,
            "anonymous_id": click.device,
            "timestamp": click.at - BEFORE,
            "context": {"consent": {"categoryPreferences": choice}},
        },
    )


def login(click: Click, message_id: str) -> Call:
    """The device says who its person is."""
    traits = {
        "platform": click.platform,
        "acquisition_channel": click.channel,
        "cohort": click.cohort,
        "lifecycle": click.lifecycle,
    }
    arguments = {"user_id": click.user, "anonymous_id": click.device, "traits": traits, "timestamp": click.at}
    return Call("identify", message_id, arguments)


def tracked(click: Click, message_id: str, *, user: bool) -> Call:
    """The click itself: a page call for pages, a track call for everything else."""
    ids = {"anonymous_id": click.device, **({"user_id": click.user} if user else {})}
    common = {**ids, "timestamp": click.at, "context": {"sessionId": click.session}}
    properties: dict[str, object] = {"platform": click.platform, "channel": click.channel}
    if click.event in PAGES:
        return Call("page", message_id, {"name": PAGES[click.event], "properties": properties, **common})
    if click.event == "purchase":
        properties |= {"order_id": f"order-{click.row}", "revenue": 20 + click.row % 180, "currency": "EUR"}
    return Call("track", message_id, {"event": EVENT_NAMES[click.event], "properties": properties, **common})


def replay(
    stream: Clickstream, edge: str, write_key: str, *, run: str, progress: Progress, in_step: bool = False
) -> Sent:
    """Send the whole story, some of it twice, and some events that break the tracking plan.

    Returns when the edge has acknowledged everything; `errors` holds what the client reported. The client puts
    a batch that the edge refused for now behind those that wait. `in_step` keeps answers about consent in
    their place among the events even then: around each of them, everything is acknowledged first.
    """
    sent = Sent()
    client = Client(
        write_key,
        host=edge,
        on_error=lambda error, items: sent.errors.append(f"{type(error).__name__}, {len(items)} events"),
        max_queue_size=QUEUE,
        upload_interval=0.05,
    )
    for call in story(stream, run):
        barrier = in_step and call.arguments.get("event") == CONSENT_EVENT
        if barrier:
            client.flush()
        send(client, call)
        if barrier:
            client.flush()
        sent.events += 1
        progress(1)
    for n in range(INVALID):
        send(client, invalid(stream.clicks[n], f"{run}-invalid-{n}"))
        sent.invalid += 1
        progress(1)
    for click in stream.clicks[:COPIES]:
        send(client, tracked(click, f"{run}-{click.row}", user=False))
        sent.copies += 1
        progress(1)
    client.flush()
    client.join()
    return sent


def invalid(click: Click, message_id: str) -> Call:
    """A purchase without its amount: the tracking plan requires `revenue`."""
    arguments = {"event": "Order Completed", "anonymous_id": click.device, "properties": {"order_id": "x"}}
    return Call("track", message_id, arguments)


def send(client: Client, call: Call) -> None:
    """One call; waits while the client's queue is nearly full, for it drops what does not fit."""
    while client.queue.qsize() > QUEUE - 100:
        time.sleep(0.01)
    getattr(client, call.method)(**call.arguments, message_id=call.message_id)
