"""A story of unmerges, and what people say in it."""

from __future__ import annotations

from assembly import PSEUDONYMS, TENANT, Pipeline
from cdp_contracts.envelope import derived_id
from cdp_contracts.identities_v1 import UnmergeRequested
from cdp_contracts.topics import MATCHES_DECIDED, UNMERGES_REQUESTED
from decisions import verdict


async def told_of_unmerges(platform: Pipeline) -> Pipeline:
    """A story of a person's three devices: two are parted, one of them comes back, and the third is parted."""
    devices = [platform.shop.visitor(name).consents().views(4) for name in ("phone", "laptop", "watch")]
    phone, laptop, watch = devices
    await platform.shop.play(*devices)
    await platform.shop.play(*(device.logs_in("ada", platform="mobile") for device in devices))
    await platform.bus.publish(UNMERGES_REQUESTED, unmerge(platform, 0, "phone", ("laptop",), ("watch",)))
    await platform.bus.drain()
    await platform.shop.play(laptop.views(2).logs_in("ada"), phone.fills_cart(), watch.views())
    await platform.shop.wait(1)
    await platform.bus.publish(MATCHES_DECIDED, verdict(0, "phone", "watch", platform.bus.clock.now(), "same"))
    await platform.bus.drain()
    await platform.shop.play(watch.does("Flash Offer Viewed").waits(seconds=10))
    for n, device in enumerate(("phone", "radio"), start=1):
        await platform.bus.publish(UNMERGES_REQUESTED, unmerge(platform, n, "watch", (device,)))
        await platform.bus.drain()
    await platform.shop.play(*(device.views() for device in devices))
    return platform


def unmerge(platform: Pipeline, n: int, device: str, *groups: tuple[str, ...]) -> UnmergeRequested:
    """Somebody wants devices to be persons of their own, no more part of the person of a device."""
    now, name = platform.bus.clock.now(), PSEUDONYMS.of(TENANT, "anonymous_id", device)
    return UnmergeRequested(
        tenant=TENANT, id=derived_id(f"unmerge-{n}", "requested"), message_id=f"unmerge-{n}", occurred_at=now,
        received_at=now, profile_id=platform.whose(name), by="token-of-a-steward",
        groups=tuple(tuple(PSEUDONYMS.of(TENANT, "anonymous_id", each) for each in group) for group in groups),
    )  # fmt: skip
