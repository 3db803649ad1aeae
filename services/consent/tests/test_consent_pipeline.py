"""The gate's stage on the bus: what goes in, what comes out, and what a crash or a race changes: nothing."""

from __future__ import annotations

import pytest
from cdp_consent.domain.ledger import Entry
from cdp_consent.handlers import policy_table, stages
from cdp_consent.store import ConsentStore, MemoryConsentStore
from cdp_consent.verify import Report, walk
from cdp_contracts.events_v1 import EventValidated
from cdp_contracts.topics import EVENTS_PERMITTED, EVENTS_VALIDATED, EVENTS_WITHHELD, POLICIES_DEFINED
from cdp_runtime.clock import ManualClock
from cdp_testkit import Action, Crash, LocalBus
from consent_builders import NOON, PSEUDONYMS, consent, event, policy_defined

YES, NO = {"Analytics": True}, {"Analytics": False}

STORY = (
    event("before", 1),
    consent("yes", 2, user="ann", choices=YES),
    event("view", 3, user="ann", choices={"Analytics": True, "Advertising": False}),
    event("stranger", 4, device="laptop"),
    consent("no", 5, user="ann", choices=NO),
    event("after", 6, user="ann"),
    event("california", 7, device="tablet", place="US-CA"),
    event("signal", 8, device="tablet", place="US-CA", gpc=True),
    event("garbled", 9, device="laptop", unparsable=True),
)
PASSED = {"yes", "view", "california"}
STOPPED = {
    "before": "not-asked", "stranger": "not-asked", "no": "withdrawn", "after": "withdrawn", "signal": "gpc",
    "garbled": "unparsable",
}  # fmt: skip


class Gate:
    """The gate on a bus."""

    def __init__(self, store: ConsentStore) -> None:
        self.store = store
        self.bus = LocalBus(ManualClock(NOON))
        self.start()

    def start(self) -> None:
        """Start the role, or start it again."""
        policies = policy_table()
        self.bus.attach("consent-gate", stages(self.store, policies, PSEUDONYMS), [policies])

    async def tell(self, *events: EventValidated, policies: bool = True) -> None:
        """Publish and let the gate work."""
        if policies:
            await self.bus.publish(POLICIES_DEFINED, policy_defined())
        await self.bus.publish(EVENTS_VALIDATED, *events)
        await self.bus.drain()

    def passed(self) -> set[str]:
        return {message.message_id for message in self.bus.messages(EVENTS_PERMITTED)}

    def stopped(self) -> dict[str, str]:
        return {message.message_id: message.reason for message in self.bus.messages(EVENTS_WITHHELD)}

    async def chains(self) -> list[tuple[str, list[Entry]]]:
        return [(subject.id, entries) async for subject, entries in self.store.chains()]


async def test_a_story_passes_the_gate(store: ConsentStore) -> None:
    gate = Gate(store)
    await gate.tell(*STORY)
    assert gate.passed() == PASSED
    assert gate.stopped() == STOPPED
    assert await walk(store) == Report(subjects=4, entries=8)


async def test_the_decision_is_stamped_on_the_event() -> None:
    gate = Gate(MemoryConsentStore())
    await gate.tell(*STORY)
    by_id = {message.message_id: message for message in gate.bus.messages(EVENTS_PERMITTED)}
    view = by_id["view"]
    assert view.decision.purposes == ("analytics",)
    assert view.decision.basis == {"analytics": "granted", "marketing": "denied"}
    assert (view.event, view.signals, view.subject) == (STORY[2].event, STORY[2].signals, STORY[2].subject)


async def test_without_any_policy_the_gate_waits() -> None:
    gate = Gate(MemoryConsentStore())
    await gate.tell(*STORY, policies=False)
    assert (gate.passed(), gate.stopped()) == (set(), {})
    await gate.tell()
    assert gate.passed() == PASSED


async def test_without_a_policy_of_its_own_a_tenants_events_are_withheld() -> None:
    gate = Gate(MemoryConsentStore())
    await gate.tell(event("lost", tenant="elsewhere", place="BR", choices=YES))
    assert gate.stopped() == {"lost": "no-policy"}


async def test_a_policy_that_does_not_compile_leaves_the_last_good_one_in_force() -> None:
    gate = Gate(MemoryConsentStore())
    await gate.tell()
    await gate.bus.publish(POLICIES_DEFINED, policy_defined(version=2, requires=("analytcs",)))
    await gate.tell(consent("yes", choices=YES), policies=False)
    assert gate.bus.messages(EVENTS_PERMITTED)[0].decision.policy_version == 1


async def test_a_new_policy_holds_at_once_and_a_removed_one_is_gone() -> None:
    gate = Gate(MemoryConsentStore())
    await gate.tell(consent("yes", choices=YES))
    await gate.bus.publish(POLICIES_DEFINED, policy_defined(version=2))
    await gate.tell(event("view", 1), policies=False)
    assert [m.decision.policy_version for m in gate.bus.messages(EVENTS_PERMITTED)] == [1, 2]
    await gate.bus.publish(POLICIES_DEFINED, policy_defined(name="spare", tenant="other"))
    gate.bus.publish_raw(POLICIES_DEFINED.name, None, b"demo/default")
    await gate.tell(event("late", 2), policies=False)
    assert gate.stopped() == {"late": "no-policy"}


async def test_nothing_personal_leaves_with_a_withheld_event_or_in_a_key() -> None:
    gate = Gate(MemoryConsentStore())
    await gate.tell(event("e", user="canary-user", device="canary-device"))
    [record] = gate.bus.raw(EVENTS_WITHHELD.name)
    assert b"canary" not in (record.value or b"") + (record.key or b"") + repr(record.headers).encode()


async def test_no_raw_identifier_is_stored() -> None:
    store = MemoryConsentStore()
    await Gate(store).tell(
        consent("1", user="canary-user", device="canary-device", choices=YES),
        consent("2", 1, user="canary-user", device="canary-device", choices=NO),
    )
    assert "canary" not in repr(store.subjects.documents) + repr(store.ledger.documents)  # type: ignore[attr-defined]


async def test_a_replay_of_everything_changes_nothing(store: ConsentStore) -> None:
    gate = Gate(store)
    await gate.tell(*STORY)
    chains = await gate.chains()
    ids = {m.id for t in (EVENTS_PERMITTED, EVENTS_WITHHELD) for m in gate.bus.messages(t)}
    gate.bus.redeliver()
    await gate.bus.drain()
    assert {m.id for t in (EVENTS_PERMITTED, EVENTS_WITHHELD) for m in gate.bus.messages(t)} == ids
    assert (gate.passed(), gate.stopped()) == (PASSED, STOPPED)
    assert await gate.chains() == chains


@pytest.mark.parametrize("size", [1, 2, 500], ids=lambda size: f"batches of {size}")
@pytest.mark.parametrize("at", range(1, 16, 2))
async def test_killed_before_any_step_and_started_again_the_end_is_the_same(at: int, size: int) -> None:
    gate = Gate(MemoryConsentStore())
    gate.bus.max_records = size
    gate.bus.script = crash_once(at)
    await gate.bus.publish(POLICIES_DEFINED, policy_defined())
    await gate.bus.publish(EVENTS_VALIDATED, *STORY)
    try:
        await gate.bus.drain()
    except Crash:
        gate.start()
        await gate.bus.drain()
    assert (gate.passed(), gate.stopped()) == (PASSED, STOPPED)
    calm = Gate(MemoryConsentStore())
    await calm.tell(*STORY)
    assert await gate.chains() == await calm.chains()


def crash_once(at: int) -> object:
    """A script that ends the process before its n-th action."""
    left = [at]

    def script(action: Action) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Crash(action.what)

    return script


class Raced(MemoryConsentStore):
    """Somebody else writes the same ids between our load and our save, the first time."""

    def __init__(self, rival: EventValidated) -> None:
        super().__init__()
        self.rival: EventValidated | None = rival

    async def save(self, records: object) -> None:  # type: ignore[override]
        if self.rival:
            rival, self.rival = self.rival, None
            other = Gate(self)
            await other.tell(rival)
        await super().save(records)  # type: ignore[arg-type]


async def test_who_loses_a_race_decides_anew_by_what_then_stands() -> None:
    gate = Gate(Raced(consent("rival", 1, user="ann", device=None, choices=NO)))
    await gate.tell(consent("yes", 0, user="ann", choices=YES), event("view", 2, user="ann"))
    assert gate.stopped() == {"yes": "denied", "view": "denied"}
    assert await walk(gate.store) == Report(subjects=2, entries=2)


async def test_actions_come_in_order_saved_then_emitted_then_committed() -> None:
    log: list[str] = []

    class Logged(MemoryConsentStore):
        async def save(self, records: object) -> None:  # type: ignore[override]
            log.append("saved")
            await super().save(records)  # type: ignore[arg-type]

    gate = Gate(Logged())
    gate.bus.script = lambda action: log.append(action.what)
    await gate.tell(consent("yes", choices=YES))
    assert log == ["fetched", "saved", "emitted", "committed"]
