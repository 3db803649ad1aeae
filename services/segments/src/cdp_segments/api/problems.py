"""What goes wrong for a reader: a code for programs and a message for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cdp_runtime import problems
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from cdp_segments.domain.faults import Fault


class ProblemView(BaseModel):
    """Any answer but a good one."""

    code: str = Field(description="for programs, such as not-found")
    message: str = Field(description="for people; holds no personal data")


class ConditionProblemView(ProblemView):
    """An answer about a condition."""

    faults: tuple[Fault, ...] = ()


class Problem(Exception):  # noqa: N818  # an answer, not a defect
    """Answer with this instead."""

    status = 500
    code = "failed"
    message = ""
    headers: Mapping[str, str] = MappingProxyType({})

    def view(self) -> ProblemView:
        """As it is answered."""
        return ProblemView(code=self.code, message=self.message)


class Unauthorized(Problem):
    """No token, or one that nobody was given."""

    status, code = 401, "unauthorized"
    message = "send a read token as Authorization: Bearer <token>"
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class NoSuchSegment(Problem):
    """Nothing of that name, as far as this reader may know."""

    status, code = 404, "no-such-segment"
    message = "no segment has this name"


class NoSuchProfile(Problem):
    """Nobody of that id, as far as this reader may know."""

    status, code = 404, "no-such-profile"
    message = "nothing that a segment asks for is known of this profile"


class Unavailable(Problem):
    """The store is away, or the definitions are not read to their end yet."""

    status, code = 503, "unavailable"
    message = "segments cannot be read at the moment: try again"
    headers = MappingProxyType({"Retry-After": "5"})


class TooMany(Problem):
    """More requests than one reader may make."""

    status, code = 429, "rate"
    message = "this token asks too often: wait for Retry-After seconds"

    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.headers = {"Retry-After": str(wait)}


class ConditionProblem(Problem):
    """A condition that makes no sense: where, what would be right, and the nearest word."""

    status, code = 422, "condition"
    message = "the condition makes no sense: see faults"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__()
        self.faults = faults

    def view(self) -> ProblemView:
        """With the faults."""
        return ConditionProblemView(code=self.code, message=self.message, faults=self.faults)


class BadRange(Problem):
    """A span of time that is none, or of which nothing is kept."""

    status, code = 422, "range"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadCursor(Problem):
    """A cursor that no page gave."""

    status, code = 422, "cursor"
    message = "cursor: take it from `next` of the page before"


class TooSlow(Problem):
    """Not everybody could be asked in time."""

    status, code = 503, "too-slow"
    message = "not everybody could be asked in time: try again, or ask for an estimate"
    headers = MappingProxyType({"Retry-After": "30"})


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    problem.status: {"model": ProblemView, "description": problem.__doc__}
    for problem in (Unauthorized, NoSuchSegment, TooMany, Unavailable)
}
RESPONSES[422] = {"model": ProblemView, "description": "No such value of a parameter."}


PREVIEW_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **{status: said for status, said in RESPONSES.items() if status != NoSuchSegment.status},
    400: {"model": ProblemView, "description": "A body that is no JSON."},
    413: {"model": ProblemView, "description": "A body of more than 64 KiB."},
    422: {"model": ConditionProblemView, "description": ConditionProblem.__doc__},
}


def answer_problems(api: FastAPI) -> None:
    """Give every problem its answer, also those of the framework."""
    problems.answer_problems(api)

    @api.exception_handler(Problem)
    async def answer(_: Request, problem: Problem) -> JSONResponse:
        return JSONResponse(problem.view().model_dump(), problem.status, dict(problem.headers))
