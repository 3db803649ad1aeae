"""The read APIs and the edge, as a product engineer would call them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final, TypeAlias

import httpx

from cdp_devstack.platform import READ_TOKEN, WRITE_KEY
from cdp_devstack.running import Running

Json: TypeAlias = dict[str, Any]  # an answer of a read API

GRANTED: Final = {"consent": {"categoryPreferences": {"Analytics": True}}}


@dataclass(frozen=True, slots=True)
class Traced:
    """An event sent with a trace of ours."""

    message_id: str
    trace_id: str


class Api:
    """Calls the platform's HTTP roles."""

    def __init__(self, up: Running) -> None:
        self._edge = httpx.AsyncClient(base_url=up.url("collector-http"), auth=(WRITE_KEY, ""), timeout=20)
        token = {"Authorization": f"Bearer {READ_TOKEN}"}
        self._profiles = httpx.AsyncClient(base_url=up.url("profiles-http"), headers=token, timeout=20)
        self._segments = httpx.AsyncClient(base_url=up.url("segments-http"), headers=token, timeout=20)

    async def track(self, name: str, visitor: str, *, sampled: bool = False) -> Traced:
        """Send one event of a visitor who allows analytics."""
        trace_id = token_hex(16)
        body = {
            "event": name, "anonymousId": visitor, "messageId": token_hex(12), "context": GRANTED,
            "timestamp": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        headers = {"traceparent": f"00-{trace_id}-{token_hex(8)}-0{int(sampled)}"}
        answer = await self._edge.post("/v1/track", json=body, headers=headers)
        answer.raise_for_status()
        return Traced(str(body["messageId"]), trace_id)

    async def profile(self, **identifier: str) -> Json | None:
        """A person's profile by an identifier; None if there is none."""
        answer = await self._profiles.get("/v1/profiles", params=identifier)
        return None if answer.status_code == httpx.codes.NOT_FOUND else dict(answer.raise_for_status().json())

    async def sizes(self) -> dict[str, int]:
        """The size of every segment."""
        answer = (await self._segments.get("/v1/segments")).raise_for_status().json()
        return {segment["name"]: segment["size"] for segment in answer["segments"]}

    async def explain(self, segment: str, profile_id: str) -> Json:
        """Why a person is in a segment or is not."""
        answer = await self._segments.get(f"/v1/segments/{segment}/explain/{profile_id}")
        return dict(answer.raise_for_status().json())

    async def close(self) -> None:
        """Let go of the connections."""
        for client in (self._edge, self._profiles, self._segments):
            await client.aclose()
