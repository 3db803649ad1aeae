"""What the broker side of the client decides by itself; the rest needs a broker (test_client_wire)."""

from __future__ import annotations

from cdp_client.broker import key_of


def test_the_key_keeps_a_device_together_and_tells_nothing() -> None:
    here = key_of({"anonymousId": "jane@example.com", "userId": "u"}, "key")
    assert here == key_of({"anonymousId": "jane@example.com"}, "key")
    assert (
        len(
            {here, key_of({"userId": "jane@example.com"}, "key"), key_of({"anonymousId": "jane@example.com"}, "k")}
        )
        == 3
    )
    assert len(here) == 32
    assert b"jane" not in here
