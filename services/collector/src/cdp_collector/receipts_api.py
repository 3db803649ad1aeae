"""Where senders ask what became of an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from cdp_runtime.access import Tokens
from cdp_runtime.failures import is_away
from cdp_runtime.problems import answer_problems
from cdp_runtime.rates import Rates
from fastapi import Depends, FastAPI, Path
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from cdp_collector.domain.receipts import Receipt, receipt_of
from cdp_collector.receipts import Receipts

Token: TypeAlias = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
MessageId: TypeAlias = Annotated[str, Path(max_length=512, description="`messageId` of the event as it was sent")]


class NoReceipt(BaseModel):
    """An answer that is no receipt."""

    code: str = Field(description="for programs, such as not-found")
    message: str = Field(description="for people; holds no personal data")
    retention_seconds: int | None = Field(default=None, description="with not-found: how long receipts are kept")


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": NoReceipt, "description": "No token, or an unknown one."},
    404: {"model": NoReceipt, "description": "Nothing is known of this message id."},
    422: {"model": NoReceipt, "description": "A message id that is too long."},
    429: {"model": NoReceipt, "description": "This token asks too often; wait for Retry-After seconds."},
    503: {"model": NoReceipt, "description": "The store is away."},
}


@dataclass(frozen=True, slots=True)
class Counter:
    """Answers for the tenant of the token, and for no other."""

    receipts: Receipts
    tokens: Tokens[str]
    rates: Rates
    retention_seconds: int

    async def receipt(self, message_id: MessageId, token: Token) -> JSONResponse:
        """What became of an event, as far as the platform has come with it."""
        holder = self.tokens.of(token.credentials if token else None)
        if holder is None:
            return _refusal(401, "unauthorized", "send a read token as Authorization: Bearer <token>")
        wait = self.rates.wait(holder.name)
        if wait:
            return _refusal(429, "rate", "this token asks too often: wait for Retry-After seconds", wait=wait)
        try:
            found = await self._find(holder.grant, message_id)
        except Exception as error:
            if await is_away(error, (self.receipts,)):
                return _refusal(503, "unavailable", "receipts cannot be read at the moment: try again")
            raise
        if found is None:
            return self._unknown()
        return JSONResponse(found.model_dump(mode="json"), headers={"Cache-Control": "no-store"})

    async def _find(self, tenant: str, message_id: str) -> Receipt | None:
        known = await self.receipts.find(tenant, message_id)
        if trail := known.trail:
            await self.receipts.follow(tenant, trail)
        return receipt_of(message_id, known, trail) if known else None

    def _unknown(self) -> JSONResponse:
        hours = f"{self.retention_seconds / 3600:g}"
        message = (
            f"nothing is known of this message id: it never came, it came a moment ago, or its receipt is gone. "
            f"Receipts are kept for {hours} hours, and no longer than the memory that holds them"
        )
        return _refusal(404, "not-found", message, retention_seconds=self.retention_seconds)


def _refusal(
    status: int, code: str, message: str, retention_seconds: int | None = None, wait: int = 5
) -> JSONResponse:
    again = {"Retry-After": str(wait)}
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: again, 503: again}.get(status, {})
    body = NoReceipt(code=code, message=message, retention_seconds=retention_seconds)
    return JSONResponse(body.model_dump(exclude_none=True), status, headers)


def receipts_api(receipts: Receipts, tokens: Tokens[str], rates: Rates, retention_seconds: int) -> FastAPI:
    """The read API over a store. `tokens` says which tenant each opens."""
    counter = Counter(receipts, tokens, rates, retention_seconds)
    api = FastAPI(title="Tessera receipts", description="What became of an event.", version="1")
    answer_problems(api)
    route = api.get("/v1/receipts/{message_id:path}", response_model=Receipt, responses=RESPONSES)
    route(counter.receipt)
    return api
