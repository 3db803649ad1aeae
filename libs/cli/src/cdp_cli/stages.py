"""Halts and resumes the stages of running roles."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

import httpx

TIMEOUT: Final = 15


class Refused(Exception):  # noqa: N818
    """A role did not do what it was asked. The text says which and why."""


def variable(role: str) -> str:
    """The environment variable that says where the instances of a role answer, comma separated."""
    return f"CDP_{role.upper().replace('-', '_')}_URL"


def instances(urls: Sequence[str], roles: Sequence[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """The base URLs that are meant; Refused if there are none, or a role's are not known."""
    found = list(urls)
    for role in roles:
        told = [url.strip() for url in environment.get(variable(role), "").split(",") if url.strip()]
        if not told:
            raise Refused(f"{variable(role)} does not say where {role} answers")
        found.extend(told)
    if not found:
        raise Refused("name a URL or a --role")
    return [url.rstrip("/") for url in found]


def command(url: str, word: str, token: str) -> dict[str, int]:
    """Ask one instance to `halt` or `resume`; how many of its stages did. Refused if it cannot be asked."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.post(f"{url}/{word}", headers=headers, timeout=TIMEOUT)
        answer.raise_for_status()
        return {name: int(count) for name, count in answer.json().items()}
    except httpx.HTTPStatusError as error:
        why = {401: "the admin token is wrong", 403: "the role has no admin token (CDP_ADMIN_TOKEN)"}
        status = error.response.status_code
        raise Refused(f"{url}: {status}: {why.get(status, 'not a role, or not one that can')}") from None
    except (httpx.HTTPError, ValueError) as error:
        raise Refused(f"{url}: {type(error).__name__}") from None
