"""Where people look at pairs that were proposed, and say whether they are one person."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, TypeVar
from uuid import UUID, uuid4

from cdp_contracts.matches_v1 import MatchDecided
from cdp_runtime.access import Holder, Tokens
from cdp_runtime.clock import Clock
from cdp_runtime.failures import is_away
from cdp_runtime.problems import answer_problems, problem
from cdp_runtime.rates import Rates
from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from cdp_identity.matcher.pairs import Pair, pair_id
from cdp_identity.matcher.store import MOST_LISTED, MatcherStore, with_survivors

T = TypeVar("T")

Token: TypeAlias = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
Profile: TypeAlias = Annotated[UUID, Path(description="profile id of one of the two")]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=MOST_LISTED, description="pairs at most")]


class Verdicts(Protocol):
    """Where verdicts are written."""

    async def write(self, verdict: MatchDecided) -> None:
        """Return when the broker has acknowledged it."""
        ...

    async def ping(self) -> None:
        """Raise if the broker does not answer."""
        ...


class Problem(BaseModel):
    """An answer that is none."""

    code: str = Field(description="for programs, such as not-found")
    message: str = Field(description="for people; holds no personal data")


class Waiting(BaseModel):
    """A pair, without what was told of either."""

    profile_id: UUID
    other: UUID
    status: str = Field(description="open, same or different")
    score: float = Field(description="log-odds (natural) that both are one person")
    band: str
    held: str = Field(description="why a person is asked")
    contradictions: tuple[str, ...]


class Queue(BaseModel):
    """Pairs that wait for a verdict, likeliest first."""

    pairs: tuple[Waiting, ...]


class Shown(Waiting):
    """A pair with all that there is to judge it by. `told` holds personal data."""

    fields: tuple[tuple[str, str, float, float], ...] = Field(
        description="field, level, and its weight against strangers and against a family"
    )
    by: str = Field(description="who decided; empty while it is open")
    told: dict[str, tuple[dict[str, list[str]], ...]] = Field(description="by profile id, what was told of it")


class Verdict(BaseModel):
    """What a person decides."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["same", "different"]


class Taken(BaseModel):
    """A verdict that the log has. The queue shows it in a moment."""

    id: UUID
    verdict: str


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No token, or an unknown one."},
    422: {"model": Problem, "description": "No such parameter, or no such value of one."},
    429: {"model": Problem, "description": "This token asks too often; wait for Retry-After seconds."},
    503: {"model": Problem, "description": "The store or the broker is away."},
}
ONE: Final = RESPONSES | {404: {"model": Problem, "description": "No such pair of this tenant."}}


class Refused(HTTPException):
    """A problem to answer, with its code for programs."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.code = code


async def refusal(_: Request, error: Exception) -> JSONResponse:
    """What is answered to a caller who is refused."""
    assert isinstance(error, Refused)  # noqa: S101  # nosec B101  # registered for nothing else
    answer = problem(error.status_code, error.code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers for the tenant of the token, and for no other."""

    store: MatcherStore
    verdicts: Verdicts
    tokens: Tokens[str]
    rates: Rates
    clock: Clock

    async def waiting(self, *, token: Token, limit: Limit = 50) -> Queue:
        """Pairs that wait for a verdict, likeliest first."""
        tenant = self._holder(token).grant
        found = await self._available(self.store.pairs.waiting(tenant, limit))
        return Queue(pairs=tuple(Waiting(**_summary(pair)) for pair in found))

    async def show(self, *, profile_id: Profile, other: Profile, token: Token) -> Shown:
        """One pair, field by field, and what was told of both."""
        holder = self._holder(token)
        pair = await self._pair(holder.grant, profile_id, other)
        ids = [f"{holder.grant}/{profile}" for profile in _profiles(pair)]
        entries = await self._available(with_survivors(self.store.entries, ids))
        told = {
            profile: tuple(told.fields for told in entries[i].told.values())
            for i, profile in zip(ids, _profiles(pair), strict=True)
        }
        return Shown(**_summary(pair), fields=tuple(map(tuple, pair.proposal["fields"])), by=pair.by, told=told)

    async def decide(self, *, profile_id: Profile, other: Profile, verdict: Verdict, token: Token) -> Taken:
        """Say whether two are one person. Answered when the log has it; the later verdict stands."""
        holder = self._holder(token)
        pair = await self._pair(holder.grant, profile_id, other)
        now, said = self.clock.now(), pair.proposal
        message = MatchDecided(
            tenant=holder.grant, id=uuid4(), message_id=f"verdict-{uuid4()}", occurred_at=now, received_at=now,
            profile_id=UUID(said["profile"]), other=UUID(said["other"]), identifiers=tuple(said["parts"]),
            verdict=verdict.verdict, by=f"token-{holder.name}", score=said["score"],
        )  # fmt: skip
        await self._available(self.verdicts.write(message))
        return Taken(id=message.id, verdict=message.verdict)

    def _holder(self, token: HTTPAuthorizationCredentials | None) -> Holder[str]:
        holder = self.tokens.of(token.credentials if token else None)
        if holder is None:
            raise Refused(401, "unauthorized", "send a steward's token", {"WWW-Authenticate": "Bearer"})
        if wait := self.rates.wait(holder.name):
            raise Refused(429, "rate", "this token asks too often", {"Retry-After": str(wait)})
        return holder

    async def _pair(self, tenant: str, one: UUID, other: UUID) -> Pair:
        key = pair_id(tenant, str(one), str(other))
        pair = (await self._available(self.store.pairs.load([key])))[key]
        if not pair.proposal:
            raise Refused(404, "not-found", "no such pair was proposed")
        return pair

    async def _available(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except Exception as error:
            if await is_away(error, (self.store, self.verdicts)):
                raise Refused(503, "unavailable", "the store or the broker is away: try again") from error
            raise


def _profiles(pair: Pair) -> Iterator[str]:
    yield pair.proposal["profile"]
    yield pair.proposal["other"]


def _summary(pair: Pair) -> dict[str, Any]:
    said = pair.proposal
    return {
        "profile_id": said["profile"], "other": said["other"], "status": pair.status, "score": said["score"],
        "band": said["band"], "held": said["held"], "contradictions": tuple(said["contradictions"]),
    }  # fmt: skip


def build_api(desk: Desk) -> FastAPI:
    """The review queue over a store."""
    api = FastAPI(title="Tessera matches", description="Review pairs that may be one person.", version="1")
    answer_problems(api)
    api.add_exception_handler(Refused, refusal)
    api.get("/v1/matches", response_model=Queue, responses=RESPONSES)(desk.waiting)
    api.get("/v1/matches/{profile_id}/{other}", response_model=Shown, responses=ONE)(desk.show)
    api.post("/v1/matches/{profile_id}/{other}/verdict", response_model=Taken, responses=ONE)(desk.decide)
    return api
