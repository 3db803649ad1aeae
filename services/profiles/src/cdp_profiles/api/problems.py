"""What goes wrong for a reader, always in one shape: a code for programs and a message for people."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from cdp_runtime import problems
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field


class ProblemView(BaseModel):
    """An answer that is no profile."""

    code: str = Field(description="for programs, such as not-found")
    message: str = Field(description="for people; holds no personal data")
    profiles: tuple[UUID, ...] | None = Field(default=None, description="with code ambiguous: the candidates")


class Problem(Exception):  # noqa: N818  # an answer, not a defect
    """Answer with this instead."""

    def __init__(self, status: int, view: ProblemView, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(view.code)
        self.status = status
        self.view = view
        self.headers = headers


def unauthorized() -> Problem:
    """No token, or one that nobody was given."""
    view = ProblemView(code="unauthorized", message="send a read token as Authorization: Bearer <token>")
    return Problem(401, view, {"WWW-Authenticate": "Bearer"})


def wrong_purpose() -> Problem:
    """The token is for certain purposes, and the request names none of them."""
    return Problem(403, ProblemView(code="purpose", message="name one of this token's purposes as X-Purpose"))


def not_for_export() -> Problem:
    """The token reads single profiles."""
    return Problem(403, ProblemView(code="no-export", message="this token may not export"))


def no_such_trait() -> Problem:
    """The profile never had the trait."""
    return Problem(404, ProblemView(code="no-such-trait", message="the profile never had this trait"))


def bad_cursor() -> Problem:
    """A cursor that no page has given out."""
    return Problem(422, ProblemView(code="invalid", message="cursor: give the `next` of the page before"))


def not_found() -> Problem:
    """No such profile, as far as this reader may know."""
    return Problem(404, ProblemView(code="not-found", message="no profile has this id or identifier"))


def one_identifier() -> Problem:
    """None or several identifiers were asked for."""
    return Problem(400, ProblemView(code="one-identifier", message="give one of user_id, anonymous_id and email"))


def ambiguous(profiles: tuple[UUID, ...]) -> Problem:
    """Several people share the identifier."""
    message = f"{len(profiles)} profiles have this identifier: read one by its id"
    return Problem(409, ProblemView(code="ambiguous", message=message, profiles=profiles))


def unavailable() -> Problem:
    """The store is away."""
    message = "profiles cannot be read at the moment: try again"
    return Problem(503, ProblemView(code="unavailable", message=message), {"Retry-After": "5"})


def too_many(wait: int) -> Problem:
    """More requests than one reader may make."""
    view = ProblemView(code="rate", message="this token asks too often: wait for Retry-After seconds")
    return Problem(429, view, {"Retry-After": str(wait)})


def answer_problems(api: FastAPI) -> None:
    """Answer every problem in the one shape, also those of the framework."""

    async def problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101  # nosec B101  # registered for nothing else
        content = error.view.model_dump(mode="json", exclude_none=True)
        return JSONResponse(content, status_code=error.status, headers=dict(error.headers or {}))

    problems.answer_problems(api)
    api.add_exception_handler(Problem, problem)
