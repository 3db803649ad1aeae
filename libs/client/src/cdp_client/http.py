"""Emit over HTTP. An event that a call returned from is acknowledged by Kafka."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, Unpack

import httpx

from cdp_client import events
from cdp_client.events import About, Properties

RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_WAIT: Final = 30.0


class EmitError(Exception):
    """The edge refused the event, or could not be reached in time. Says what and, for a refusal, which rule."""


class Emitter:
    """Sends one event a request and waits for its acknowledgement. A context manager; safe to share by threads.

    What the edge cannot take just now (429, 5xx, no connection) is tried again, honouring Retry-After, for at
    most `patience` seconds; the message id stays the same, so a second copy counts once. Every call returns
    the message id and raises EmitError, or ValueError for what is no event.
    """

    def __init__(self, url: str, write_key: str, *, patience: float = 60) -> None:
        self._http = httpx.Client(base_url=url, auth=(write_key, ""), timeout=15)
        self._patience = patience

    def track(self, name: str, *, properties: Properties | None = None, **about: Unpack[About]) -> str:
        """Send something that happened."""
        return self._send(events.track(name, properties, **about))

    def identify(self, *, traits: Properties | None = None, **about: Unpack[About]) -> str:
        """Say who somebody is."""
        return self._send(events.identify(traits, **about))

    def consent(self, choices: Mapping[str, bool], **about: Unpack[About]) -> str:
        """Pass on what a person allows, by category: {"Analytics": True}."""
        return self._send(events.consent(choices, **about))

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, body: Properties) -> str:
        deadline = time.monotonic() + self._patience
        attempt = 0
        while True:
            answer = self._post(body)
            if answer is not None and answer.is_success:
                return str(body["messageId"])
            if answer is not None and answer.status_code not in RETRIED:
                raise EmitError(f"{answer.status_code}: {answer.text}")
            wait = waiting_time(answer, attempt)
            if time.monotonic() + wait > deadline:
                raise EmitError("the edge cannot be reached" if answer is None else f"{answer.status_code}")
            time.sleep(wait)
            attempt += 1

    def _post(self, body: Properties) -> httpx.Response | None:
        try:
            return self._http.post(f"/v1/{body['type']}", json=body)
        except httpx.TransportError:
            return None


def waiting_time(answer: httpx.Response | None, attempt: int) -> float:
    """Seconds to the next try: what the edge asks for, else doubling from 0.1 s."""
    asked = answer.headers.get("Retry-After", "") if answer is not None else ""
    return min(LONGEST_WAIT, float(asked) if asked.isdigit() else 0.1 * 2.0**attempt)
