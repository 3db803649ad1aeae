"""Which pages may send, and which of them with their cookies."""

from __future__ import annotations

from collections.abc import Callable

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

DAY = 86400


class Cors:
    """Answers browsers that ask from another origin. Cookies only for pages of a source that keeps one.

    `keeps_cookies` says so of an origin; every other is answered by the setting, and never with credentials.
    """

    def __init__(self, app: ASGIApp, *, origins: tuple[str, ...], keeps_cookies: Callable[[str], bool]) -> None:
        self._keeps_cookies = keeps_cookies
        self._plain = CORSMiddleware(
            app, allow_origins=origins, allow_methods=["POST"], allow_headers=["*"], max_age=DAY
        )
        self._with_cookies = _Named(
            app, allow_methods=["POST"], allow_headers=["*"], allow_credentials=True, max_age=DAY
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        origin = origin_of(scope)
        chosen = self._with_cookies if origin and self._keeps_cookies(origin) else self._plain
        await chosen(scope, receive, send)


class _Named(CORSMiddleware):
    """For origins that were asked about before."""

    def is_allowed_origin(self, origin: str) -> bool:
        return True


def origin_of(scope: Scope) -> str | None:
    """The page's origin as its browser states it; None without one, or with several."""
    found = [value for name, value in scope.get("headers", ()) if name == b"origin"]
    return found[0].decode("latin-1") if len(found) == 1 else None
