"""What goes wrong for a reader: a code for programs and a message for people."""

from __future__ import annotations

from typing import Any, Final

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


class Unauthorized(Problem):
    """No token, or one that nobody was given."""

    status, code = 401, "unauthorized"
    message = "send a read token as Authorization: Bearer <token>"


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


HEADERS: Final = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    problem.status: {"model": ProblemView, "description": problem.__doc__}
    for problem in (Unauthorized, NoSuchSegment, Unavailable)
}


def answer_problems(api: FastAPI) -> None:
    """Give every problem its answer."""

    @api.exception_handler(Problem)
    async def answer(_: Request, problem: Problem) -> JSONResponse:
        view = ProblemView(code=problem.code, message=problem.message)
        return JSONResponse(view.model_dump(), problem.status, HEADERS.get(problem.status))
