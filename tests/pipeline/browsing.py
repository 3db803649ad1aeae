"""People who browse the shop: with a page's script, its storage, and the cookies of the shop's own host."""

from __future__ import annotations

from typing import Any, Final, Self
from uuid import UUID, uuid4

import httpx
from assembly import PSEUDONYMS, TENANT, Pipeline
from cdp_contracts.events_v1 import EventResolved
from cdp_contracts.topics import EVENTS_RESOLVED

PAGE: Final = "https://shop.example"
HOST: Final = "https://events.shop.example"
YES: Final = {"Analytics": True, "Functional": True}


class Browser:
    """One browser, or one private window of it. The script mints an anonymous id where its storage has none."""

    def __init__(self, platform: Pipeline, **context: Any) -> None:
        self.platform = platform
        self.answers: dict[str, bool] = dict(YES)
        self.user: str | None = None
        self.context = context
        self.edge: httpx.AsyncClient = platform.edge(HOST, Origin=PAGE)
        self.ids: list[str] = []
        self.clears_script_storage()

    @property
    def script_id(self) -> str:
        """What the script calls the visitor now."""
        return self.ids[-1]

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser keeps for the shop's host."""
        return dict(self.edge.cookies)

    def clears_script_storage(self) -> Self:
        """What a script stored is gone: deleted, or its seven days are over. The script starts anew."""
        self.ids.append(f"script-{uuid4()}")
        self.user = None
        return self

    def clears_everything(self) -> Self:
        """Cookies too."""
        self.edge.cookies.clear()
        return self.clears_script_storage()

    async def views(self, **fields: Any) -> EventResolved | None:
        """Looks at a product; whose that was, None if it was withheld."""
        return await self._sends({"type": "track", "event": "Product Viewed", **fields})

    async def logs_in(self, user: str, **traits: Any) -> EventResolved | None:
        """Says who she is."""
        self.user = user
        return await self.says(**traits)

    async def says(self, **traits: Any) -> EventResolved | None:
        """Tells something of herself."""
        return await self._sends({"type": "identify", "traits": traits})

    async def _sends(self, event: dict[str, Any]) -> EventResolved | None:
        message_id = str(uuid4())
        consent = {"categoryPreferences": self.answers}
        context = {**self.context, "consent": consent, **event.pop("context", {})}
        said = {"anonymousId": self.script_id, "userId": self.user, "messageId": message_id, "context": context}
        (await self.edge.post("/v1/batch", json={"batch": [{**said, **event}]})).raise_for_status()
        await self.platform.bus.drain()
        self.platform.bus.clock.advance(1)
        return next((m for m in self.platform.bus.messages(EVENTS_RESOLVED) if m.message_id == message_id), None)

    def owner(self) -> UUID:
        """Whose the script's id is by now."""
        return self.platform.whose(PSEUDONYMS.of(TENANT, "anonymous_id", self.script_id))
