"""Who may halt and resume a role."""

from __future__ import annotations

import hmac
from hashlib import sha256

from fastapi import Request
from starlette.exceptions import HTTPException

from cdp_runtime.settings import AdminSettings


class Admins:
    """Whoever has the admin token. Without a configured token nobody may do anything."""

    def __init__(self, settings: AdminSettings) -> None:
        token = settings.admin_token.get_secret_value() if settings.admin_token else ""
        self._digest = sha256(token.encode()).digest() if token else None

    def check(self, request: Request) -> None:
        """HTTPException 403 if no token is configured, 401 for any other; takes the same time for each."""
        if self._digest is None:
            raise HTTPException(403, "no admin token is configured (CDP_ADMIN_TOKEN)")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = sha256(token.strip().encode()).digest()
        if not hmac.compare_digest(given, self._digest) or scheme.lower() != "bearer":
            raise HTTPException(401, "an admin token is needed", {"WWW-Authenticate": "Bearer"})
