"""Answers that need not be sent again."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header, Response
from pydantic import BaseModel

UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "Nothing changed since If-None-Match."}}
Known: TypeAlias = Annotated[str | None, Header(alias="If-None-Match", description="ETag of the answer you have")]


def answer_unless_known(view: BaseModel, known: str | None) -> Response:
    """The answer with a tag of what is in it; 304 for who has it."""
    body = view.model_dump_json().encode()
    tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-store", "Vary": "Authorization"}
    if known is not None and (tag in known or known == "*"):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
