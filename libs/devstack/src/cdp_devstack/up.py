"""`make up`: the platform, left running until Ctrl-C or `make down`."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final

from cdp_cli.stages import variable

from cdp_devstack.platform import READ_TOKEN, WRITE_KEY, environment_for
from cdp_devstack.running import Running, running, say

RUN: Final = Path(".run")
PID_FILE: Final = RUN / "up.pid"
ENV_FILE: Final = RUN / "env"


def main() -> None:
    """Start, print where everything is, wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("embedded", "local"), default="embedded")
    kind = parser.parse_args().kind
    RUN.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, interrupt)
    with tempfile.TemporaryDirectory(prefix="tessera-up-") as folder:
        try:
            with running(kind, Path(folder)) as up:
                PID_FILE.write_text(str(os.getpid()))
                ENV_FILE.write_text(environment_file(up))
                tell(up)
                signal.pause()
        except KeyboardInterrupt:
            print()
        finally:
            PID_FILE.unlink(missing_ok=True)
            ENV_FILE.unlink(missing_ok=True)


def interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends it as Ctrl-C does."""
    raise KeyboardInterrupt


def environment_file(up: Running) -> str:
    """What a shell exports to use the `cdp` command against this platform."""
    variables = {
        **environment_for(up.stack),
        **{variable(role): up.url(role) for role in up.platform.roles},
        "CDP_COLLECTOR_URL": up.url("collector-http"),
        "CDP_RECEIPTS_URL": up.url("collector-receipts"),
        "CDP_MATCHES_URL": up.url("identity-matcher"),
        "CDP_PROFILES_URL": up.url("profiles-http"),
        "CDP_SEGMENTS_URL": up.url("segments-http"),
        "CDP_READ_TOKEN": READ_TOKEN,
        "CDP_STEWARD_TOKEN": READ_TOKEN,
        "CDP_WRITE_KEY": WRITE_KEY,
    }
    return "".join(f"export {name}='{value}'\n" for name, value in variables.items())


def tell(up: Running) -> None:
    """What a person can do now."""
    say("ready. In another shell:")
    print(f"""
    source {ENV_FILE}; export PATH=$PWD/.venv/bin:$PATH
    curl -u "$CDP_WRITE_KEY:" -d '{{"event": "Product Viewed", "anonymousId": "me", "messageId": "first",
         "context": {{"consent": {{"categoryPreferences": {{"Analytics": true}}}}}}}}' $CDP_COLLECTOR_URL/v1/track
    cdp receipt first
    cdp profile anonymous_id=me
    cdp tail membership-changed --from-beginning
    curl -H "Authorization: Bearer $CDP_READ_TOKEN" $CDP_SEGMENTS_URL/v1/segments

  API pages: {up.url("collector-http")}/docs  {up.url("profiles-http")}/docs  {up.url("segments-http")}/docs
  Ctrl-C ends everything.
""")


if __name__ == "__main__":
    main()
