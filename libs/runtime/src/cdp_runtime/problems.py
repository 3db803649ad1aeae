"""What goes wrong for a caller, in one shape for every role: a code for programs and a message for people."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.status import HTTP_503_SERVICE_UNAVAILABLE

RETRY_SECONDS = "5"
CODES = {404: "no-such-route", 405: "method-not-allowed"}


def answer_problems(api: FastAPI) -> None:
    """Answer in the one shape also what the framework refuses by itself. No value is repeated."""

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # nosec B101  # registered for nothing else
        first = error.errors()[0]
        return problem(422, "invalid", f"{first['loc'][-1]}: {first['msg']}")

    async def other(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101  # nosec B101  # the same
        answer = problem(error.status_code, CODES.get(error.status_code, "failed"), str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    api.add_exception_handler(RequestValidationError, invalid)
    api.add_exception_handler(HTTPException, other)


def answer_failures(api: FastAPI) -> None:
    """Answer an exception of ours without saying what it was."""

    async def failed(_: Request, __: Exception) -> JSONResponse:
        return problem(500, "internal", "something went wrong here; try again later")

    api.add_exception_handler(Exception, failed)


def problem(status: int, code: str, message: str) -> JSONResponse:
    """An answer that is no good one; a 503 says when to ask again."""
    headers = {"Retry-After": RETRY_SECONDS} if status == HTTP_503_SERVICE_UNAVAILABLE else None
    return JSONResponse({"code": code, "message": message}, status_code=status, headers=headers)
