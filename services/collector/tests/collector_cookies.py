"""What a browser of the shop sends and is given, in few words."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any, Final

import httpx
from cdp_collector.domain.visitors import cookie_name
from collector_builders import item, source
from collector_edge import ORIGIN, EdgeUnderTest
from prometheus_client import REGISTRY

NAME: Final = cookie_name(source())
MINUTES: Final = 60
DAYS: Final = 86400


def saying(**choices: bool) -> dict[str, Any]:
    """An event with these answers on it."""
    return item(context={"consent": {"categoryPreferences": choices}})


YES: Final = saying(Functional=True, Analytics=True)
NO: Final = saying(Functional=False, Analytics=True)
SILENT: Final = item()


def outcomes() -> dict[str, float]:
    """What was counted so far."""
    found = {}
    for outcome in ("new", "known", "expired", "tampered", "refused", "foreign", "no-key"):
        labels = {"tenant": "demo", "outcome": outcome}
        found[outcome] = REGISTRY.get_sample_value("cdp_collector_browsers_total", labels) or 0.0
    return found


def set_cookie(answer: httpx.Response) -> dict[str, str]:
    """The attributes of the cookie that an answer sets, and its value; nothing if it sets none."""
    lines = answer.headers.get_list("set-cookie")
    if not lines:
        return {}
    (line,) = lines
    ((name, morsel),) = SimpleCookie(line).items()
    return {"name": name, "value": morsel.value, **{k: v for k, v in morsel.items() if v != ""}}


async def signed(shop: EdgeUnderTest) -> str:
    """The value of a new browser's cookie."""
    return set_cookie(await shop.post("track", YES, Origin=ORIGIN))["value"]
