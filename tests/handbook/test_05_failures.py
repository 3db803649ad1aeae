"""Chapter 5: failures and dead letters.

Things break: senders, our own code, stores, machines. What the platform promises then is the same everywhere,
because one runtime promises it: nothing is lost, nothing counts twice, one bad message stops no other, and a
failure is a message with a reason that somebody owns.

The last tests write a stage of their own. That is also how you test a service that subscribes to segments.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

from assembly import WRITE_KEY, Pipeline
from cdp_cli.letters import Letter, replayed
from cdp_contracts.segments_v1 import MembershipChanged
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_VALIDATED,
    IDENTITIES_MERGED,
    MEMBERSHIP_CHANGED,
)
from cdp_runtime.batch import Batch
from cdp_runtime.failures import Away
from cdp_runtime.stage import Stage
from cdp_runtime.transport import Incoming
from cdp_testkit import Action, Crash, LocalBus, builders


def said(letter: Incoming) -> dict[str, str]:
    """What a dead letter says of itself."""
    return {name.removeprefix("cdp_"): value.decode() for name, value in letter.headers}


async def test_what_is_no_message_is_set_aside_with_its_reason(platform: Pipeline) -> None:
    """Untouched, in a topic of its own, `<topic>.<service>.dlq`: with what was wrong, where it stood and who could
    not handle it. The reason names a field and a rule, never a value. `cdp dlq list` shows them."""
    platform.bus.publish_raw(EVENTS_RECEIVED.name, b'{"event": "secret')
    await platform.shop.play(platform.shop.visitor("phone").consents())

    (letter,) = platform.bus.dead_letters(EVENTS_RECEIVED, "collector")
    assert letter.value == b'{"event": "secret'
    assert said(letter)["reason"] == "json_invalid at /"
    assert (said(letter)["source_topic"], said(letter)["source_offset"]) == (EVENTS_RECEIVED.name, "0")
    assert said(letter)["service"] == "collector-validator"
    assert await platform.person(anonymous_id="phone"), "and the stream went on"


async def test_a_dead_letter_can_be_put_back(platform: Pipeline) -> None:
    """`cdp dlq replay` writes it to the topic that it came from, once what was wrong with it, or with us, is put
    right. Order is lost by that, which does not matter to anything that is joined by time."""

    def failing(action: Action) -> None:
        if action.topic == "MemoryProfileStore" and action.what == "save":
            raise RuntimeError("a fault that we shall have mended")

    platform.bus.script = failing
    await platform.shop.play(platform.shop.visitor("phone").consents())
    (letter,) = platform.dead_letters()
    assert (said(letter)["reason"], said(letter)["attempts"]) == ("RuntimeError", "3")

    platform.bus.script = None
    platform.bus.write(replayed(Letter.of(letter)))
    await platform.bus.drain()
    assert await platform.person(anonymous_id="phone")


async def test_a_store_that_is_away_is_waited_for(platform: Pipeline) -> None:
    """As long as it takes: nothing is set aside, nothing more is fetched, nothing is lost."""
    tries = 0

    def away(action: Action) -> None:
        nonlocal tries
        if action.topic == "MemoryProfileStore" and tries < 200:
            tries += 1
            raise Away

    platform.bus.script = away
    started = platform.bus.clock.now()
    await platform.shop.play(platform.shop.visitor("phone").consents())

    assert (platform.bus.clock.now() - started).total_seconds() > 300
    assert platform.dead_letters() == []
    assert await platform.person(anonymous_id="phone")


async def test_a_role_may_be_killed_at_any_moment(platform: Pipeline) -> None:
    """Save, then emit, then commit. Killed between any two of these, the message comes again: what was saved is
    not applied again, what was emitted is told again under the same id. Here profiles dies after it has saved and
    before it could tell."""
    killed = False

    def kill(action: Action) -> None:
        nonlocal killed
        if not killed and action.what == "emitted" and action.group.startswith("profiles-writer"):
            killed = True
            raise Crash

    platform.bus.script = kill
    try:
        await platform.shop.play(platform.shop.visitor("phone").consents().views(3))
    except Crash:
        platform.restart()
    await platform.bus.drain()

    person = await platform.person(anonymous_id="phone")
    assert killed
    assert person
    assert person.joined.counters["Product Viewed"] == 3
    assert len({message.id for message in platform.updates()}) == 4
    assert len(platform.flips("third-view")) == 1


async def test_garbage_from_outside_never_stops_the_door(platform: Pipeline) -> None:
    """Anybody may write to the topic of received events: rubbish there says nothing about us."""
    for n in range(300):
        platform.bus.publish_raw(EVENTS_RECEIVED.name, b"garbage %d" % n)
    await platform.shop.play(platform.shop.visitor("phone").consents())
    assert len(platform.dead_letters()) == 300
    assert platform.bus.halted() == {}
    assert await platform.person(anonymous_id="phone")


async def test_too_many_dead_letters_in_a_row_halt_a_stage(platform: Pipeline) -> None:
    """Between our own services rubbish is a bad deploy. A stage that would set aside a hundred messages in a row
    stops to read, stays alive and says so, rather than drain the topic. A person puts it right; or finds that it
    was rubbish indeed and resumes the stage (POST /resume): then it is set aside, and the stage goes on."""
    for n in range(100):
        platform.bus.publish_raw(EVENTS_VALIDATED.name, b"garbage %d" % n)
    await platform.shop.play(platform.shop.visitor("phone").consents())
    ((group, reason),) = platform.bus.halted().items()
    assert (group.split(".")[0], reason) == ("consent-gate", "100 dead letters in a row")
    assert platform.bus.messages(EVENTS_PERMITTED) == []

    platform.bus.resume(group)
    await platform.bus.drain()
    assert platform.bus.halted() == {}
    assert len(platform.dead_letters()) == 100
    assert await platform.person(anonymous_id="phone")


async def test_a_merge_that_cannot_be_read_halts_at_once(platform: Pipeline) -> None:
    """A lost merge would leave one person in two for ever, so nothing on its topic is ever set aside. Only the
    stage of merges halts; events flow on. After a resume the same bytes halt it again: somebody must step over."""
    platform.bus.publish_raw(IDENTITIES_MERGED.name, b"no merge")
    await platform.shop.play(platform.shop.visitor("phone").consents())

    ((group, reason),) = platform.bus.halted().items()
    assert (group, reason) == ("profiles-writer.absorb_profiles", f"json_invalid at / on {IDENTITIES_MERGED.name}")
    assert platform.dead_letters() == []
    assert await platform.person(anonymous_id="phone")
    platform.bus.resume(group)
    await platform.bus.drain()
    assert list(platform.bus.halted()) == [group]


async def test_fields_of_a_newer_version_pass_and_words_of_one_do_not(platform: Pipeline) -> None:
    """Services are deployed one by one, so a reader ignores fields that it does not know yet. A value that it does
    not know is another matter: it cannot tell what to do, and sets the message aside."""
    await platform.shop.play(platform.shop.visitor("phone").consents())
    (validated,) = platform.bus.messages(EVENTS_VALIDATED)
    fields = json.loads(validated.model_dump_json())
    fields |= {"message_id": "newer", "id": str(uuid4())}
    newer = {**fields, "invented": 1, "event": {**fields["event"], "invented": [2]}}
    unknown = {**fields, "event": {**fields["event"], "type": "telepathy"}}
    for message in (newer, unknown):
        platform.bus.publish_raw(EVENTS_VALIDATED.name, json.dumps(message).encode())
    await platform.bus.drain()

    assert [m.message_id for m in platform.bus.messages(EVENTS_PERMITTED)].count("newer") == 1
    (letter,) = platform.bus.dead_letters(EVENTS_VALIDATED, "consent")
    assert said(letter)["reason"] == "literal_error at /event/type"


class Mailer:
    """A service of yours: greets whoever enters a segment. Its store is the list of those whom it greeted."""

    def __init__(self, refuses: Callable[[MembershipChanged], bool] = lambda _: False) -> None:
        self.greeted: set[str] = set()
        self.refuses = refuses

    async def greet(self, batch: Batch[MembershipChanged]) -> None:
        """Safe twice: a set."""
        for message in batch:
            if self.refuses(message):
                raise ValueError(f"the mail server says no to {message.profile_id}")
            self.greeted |= {f"{c.segment} {message.profile_id}" for c in message.changes if c.member}
            batch.settle(message)


async def test_one_message_that_cannot_be_handled_is_found_among_many() -> None:
    """A handler gets a batch. If it fails, the batch is halved until the message that fails is alone; that one is
    tried three times, then set aside. All others are handled."""
    poison = builders.person("poison")
    mailer, bus = Mailer(lambda message: message.profile_id == poison), LocalBus()
    bus.attach("mailer-worker", [Stage(mailer.greet, reads=MEMBERSHIP_CHANGED, emits=[])])
    everybody = [builders.person(f"person-{n}") for n in range(50)] + [poison]
    await bus.publish(MEMBERSHIP_CHANGED, *(builders.entered("third-view", person) for person in everybody))
    await bus.drain()

    assert len(mailer.greeted) == 50
    (letter,) = bus.dead_letters(MEMBERSHIP_CHANGED, "mailer")
    assert said(letter)["reason"] == "ValueError", "never the text of an error, which may quote a person"


async def test_a_service_of_yours_can_be_tested_with_all_of_ours(platform: Pipeline) -> None:
    """Attach it to the bus, tell a story, look at what it did."""
    mailer = Mailer()
    stage = Stage(mailer.greet, reads=MEMBERSHIP_CHANGED, emits=[])
    platform.bus.attach("mailer-worker", [stage])
    async with platform.edge() as edge:
        consent = {"consent": {"categoryPreferences": {"Analytics": True}}}
        view = {"type": "track", "event": "Product Viewed", "anonymousId": "phone", "context": consent}
        await edge.post("/v1/batch", json={"batch": [view] * 3, "writeKey": WRITE_KEY})
    await platform.bus.drain()

    person = await platform.person(anonymous_id="phone")
    assert person
    assert f"third-view {person.profile_id}" in mailer.greeted
