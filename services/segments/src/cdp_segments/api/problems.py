"""What goes wrong for a reader: a code for programs and a message for people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cdp_runtime import problems
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field


class ProblemView(BaseModel):
    """Any answer but a good one."""

    code: str = Field(description="for programs, such as not-found")
    message: str = Field(description="for people; holds no personal data")


class Problem(Exception):  # noqa: N818  # an answer, not a defect
    """Answer with this instead."""

    status = 500
    code = "failed"
    message = ""
    headers: Mapping[str, str] = MappingProxyType({})


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


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    problem.status: {"model": ProblemView, "description": problem.__doc__}
    for problem in (Unauthorized, NoSuchSegment, TooMany, Unavailable)
}
RESPONSES[422] = {"model": ProblemView, "description": "No such value of a parameter."}


def answer_problems(api: FastAPI) -> None:
    """Give every problem its answer, also those of the framework."""
    problems.answer_problems(api)

    @api.exception_handler(Problem)
    async def answer(_: Request, problem: Problem) -> JSONResponse:
        view = ProblemView(code=problem.code, message=problem.message)
        return JSONResponse(view.model_dump(), problem.status, dict(problem.headers))
