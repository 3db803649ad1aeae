"""One eventful story, and ways to break it off at any single step of any stage.

A step is one document written, one record emitted, or the commit. What breaks off at a step is the whole process
(a crash) or the store's answer (it has done what it was asked for, and nobody hears of it).
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from assembly import Pipeline
from cdp_contracts import failures_v1
from cdp_contracts.topics import (
    EVENTS_RECEIVED,
    EVENTS_RESOLVED,
    IDENTITIES_MERGED,
    IDENTITIES_UNMERGED,
    MATCHES_DECIDED,
    UNMERGES_REQUESTED,
)
from cdp_runtime.backoff import Patience
from cdp_runtime.failures import Away
from cdp_runtime.transport import Incoming
from cdp_testkit import Action, Crash
from computing import define_traits
from decisions import identified, joined, parted, verdict
from unmerging import told_of_unmerges
from watching import READS

SERVICES: Final = Path(__file__).parents[2] / "services"
AT_ONCE: Final = Patience(first_wait=0, longest_wait=0)

RECEIPTS: Final = "note_facts"
MATCHER: Final = frozenset({"match_people", "absorb_people", "part_people", "settle_pairs"})
VERDICTS: Final = "apply_verdicts"
PARTING: Final = frozenset({"part_persons", "part_profiles"})
HISTORIAN: Final = "keep_histories"
FLIP_KEEPER: Final = "keep_flips"
SILENT: Final = frozenset({RECEIPTS, HISTORIAN, FLIP_KEEPER, "absorb_people", "part_people", "settle_pairs"})
"""From these nothing is emitted."""
OUTSIDE: Final = frozenset({"route", "deliver", "keep", "take_back"})
"""What they bring about is for others: test_sender_crashes.py and test_sender_views.py break them off."""
UNNUMBERED: Final = (
    EVENTS_RECEIVED.name,
    *(topic.dead_letters("identity") for topic in (MATCHES_DECIDED, UNMERGES_REQUESTED)),
)
LETTER: Final = (
    failures_v1.SOURCE_TOPIC, failures_v1.SOURCE_PARTITION, failures_v1.SOURCE_OFFSET, failures_v1.REASON,
)  # fmt: skip

Script: TypeAlias = Callable[[Action], None]
Emitted: TypeAlias = dict[str, dict[str, bytes]]


class Handler(NamedTuple):
    """A handler of a stage: of its messages, or with `ticks` of its clock."""

    service: str
    stage: str
    ticks: bool

    def __str__(self) -> str:
        return f"{self.service}.{self.stage}{'.tick' if self.ticks else ''}"


def handlers() -> list[Handler]:
    """The handlers of every Stage that stands in a service's sources, but for those that work for outsiders."""
    found: list[Handler] = []
    for source in sorted(SERVICES.glob("*/src/**/*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Stage":
                service, stage = source.relative_to(SERVICES).parts[0], ast.unparse(node.args[0])
                ticks = any(word.arg == "on_tick" for word in node.keywords)
                kinds = (False, True)[: 1 + ticks] if stage not in OUTSIDE else ()
                found += [Handler(service, stage, with_ticks) for with_ticks in kinds]
    return found


class Steps:
    """Notes the steps of one handler, and once breaks it off.

    A crash comes before the n-th step. With `answers`, the n-th step is taken and its answer is lost: the store
    or the broker seems to be away, and the process lives on with all that it has in its memory.
    """

    def __init__(self, handler: Handler, n: int = 0, *, answers: bool = False, backward: bool = False) -> None:
        self.taken: list[Action] = []
        self.broken = False
        self.backward = backward
        self._handler = handler
        self._n = n
        self._answers = answers
        self._running: tuple[str, bool] | None = None

    @property
    def silent(self) -> bool:
        """Whether nothing is emitted from the handler."""
        return self._handler.stage in SILENT

    @property
    def keeps_receipts(self) -> bool:
        """Whether it is the handler of the receipts, which nobody else needs."""
        return self._handler.stage == RECEIPTS

    @property
    def keeps_histories(self) -> bool:
        """Whether it is the handler of the historian, which nobody else needs."""
        return self._handler.stage == HISTORIAN

    @property
    def keeps_flips(self) -> bool:
        """Whether it is the handler of the histories of segments, which nobody else needs."""
        return self._handler.stage == FLIP_KEEPER

    @property
    def matches(self) -> bool:
        """Whether it is one of the matcher's, which nobody else needs."""
        return self._handler.stage in MATCHER

    @property
    def parts(self) -> bool:
        """Whether it makes several persons of one."""
        return self._handler.stage in PARTING

    @property
    def judges(self) -> bool:
        """Whether it is the handler of verdicts."""
        return self._handler.stage == VERDICTS

    def __call__(self, action: Action) -> None:
        """Before a step is taken."""
        if action.what in ("fetched", "ticked"):
            self._running = (action.group.partition(".")[2], action.what == "ticked")
        elif self._is_mine(action):
            self.taken.append(action)
            if not self._answers:
                self._break(Crash)
            elif action.what == "emitted":  # the records before it were written, but nobody said so
                self._break(Away)

    def done(self, action: Action) -> None:
        """After a store has done what it was asked for."""
        if self._answers and self._is_mine(action):
            self._break(Away)

    def _break(self, how: type[BaseException]) -> None:
        if len(self.taken) == self._n and not self.broken:
            self.broken = True
            raise how

    def _is_mine(self, action: Action) -> bool:
        mine = action.group.startswith(f"{self._handler.service}-")
        changes = action.what not in READS  # nothing is lost between a read and what follows it
        return mine and changes and self._running == (self._handler.stage, self._handler.ticks)


async def told(script: Script | None = None, *, withdrawal: bool = True) -> Pipeline:
    """A story in which everything happens: merges, a refusal, flips, a withdrawal, copies, faults, time."""
    platform = await Pipeline.ready(AT_ONCE)
    await define_traits(platform)
    platform.bus.script = script
    restarting(platform)
    if isinstance(script, Steps) and script.keeps_receipts:
        platform.start_receipts()
    if isinstance(script, Steps) and script.keeps_histories:
        platform.start_historian()
    if isinstance(script, Steps) and script.keeps_flips:
        platform.start_flip_keeper()
    if isinstance(script, Steps) and script.matches:
        platform.start_matcher()
        return await told_of_matches(platform)  # a story of its own: nobody else's steps depend on it
    if isinstance(script, Steps) and script.judges:
        return await told_of_verdicts(platform)
    if isinstance(script, Steps) and script.parts:
        return await told_of_unmerges(platform)
    phone = platform.shop.visitor("phone").consents().views(4).repeats()
    laptop = platform.shop.visitor("laptop").consents().fills_cart().does("Order Completed")
    watch = platform.shop.visitor("watch").consents().views(2)
    await platform.shop.play(phone, laptop, watch)
    phone.logs_in("ada", platform="mobile", lifecycle="loyal")
    await platform.shop.play(phone, laptop.logs_in("ada"), watch.logs_in("ada"))
    platform.bus.publish_raw(EVENTS_RECEIVED.name, b"{", b"somebody")
    tablet = platform.shop.visitor("tablet").consents().does("Flash Offer Viewed").logs_in("bob").logs_in("ada")
    await platform.shop.play(tablet, phone.does("Flash Offer Viewed").waits(seconds=10))
    await platform.shop.play((phone.withdraws() if withdrawal else phone).views(), laptop.buys())
    return platform


async def told_of_matches(platform: Pipeline) -> Pipeline:
    """A story of people who tell their names: one under four profiles, two of which become one, and a relative.

    Then the two are found to be two people after all.
    """
    ada = {"firstName": "Ada", "lastName": "Byron", "birthday": "1990-05-17"}
    grace = {"lastName": "Hopper", "email": "grace@navy.example.org"}
    for n, (device, traits) in enumerate((
        ("phone", ada), ("laptop", ada), ("tablet", {**ada, "birthday": ""}), ("watch", ada), ("tv", grace),
        ("laptop", {**ada, "sex": "f"}), ("radio", ada),
    )):  # fmt: skip
        await platform.bus.publish(EVENTS_RESOLVED, identified(n, device, traits, platform.bus.clock.now()))
        if n in {1, 3, 5, 6}:
            await platform.bus.drain()
        if n == 3:
            await platform.bus.publish(IDENTITIES_MERGED, joined("phone", "laptop", platform.bus.clock.now()))
    now = platform.bus.clock.now()
    for n, other in enumerate(("tablet", "radio")):
        await platform.bus.publish(MATCHES_DECIDED, verdict(n, "phone", other, now))
        await platform.bus.drain()
    await platform.bus.publish(IDENTITIES_UNMERGED, parted("phone", "guest", "laptop", now))
    await platform.bus.drain()
    await platform.bus.publish(EVENTS_RESOLVED, identified(7, "laptop", {**ada, "sex": ""}, now))
    await platform.bus.drain()
    return platform


async def told_of_verdicts(platform: Pipeline) -> Pipeline:
    """A story of four visitors: one joins another, one is kept apart, one may not be joined, one is unheard of."""
    visitors = {
        name: platform.shop.visitor(name).consents().views() for name in ("phone", "laptop", "watch", "tv")
    }
    visitors["watch"].logs_in("ada")
    visitors["tv"].logs_in("bob")
    await platform.shop.play(*visitors.values())
    now = platform.bus.clock.now()
    for n, (one, other, says) in enumerate((
        ("phone", "laptop", "same"), ("phone", "watch", "different"), ("watch", "tv", "same"),
        ("laptop", "watch", "same"), ("radio", "tv", "same"),
    )):  # fmt: skip
        await platform.bus.publish(MATCHES_DECIDED, verdict(n, one, other, now, says))
    await platform.bus.drain()
    await platform.shop.play(visitors["laptop"].views(2))
    return platform


def restarting(platform: Pipeline) -> None:
    """After a crash every role is started anew, and goes on; the clock's turn comes again anyway."""
    drain, tick = platform.bus.drain, platform.bus.tick

    async def tick_twice() -> None:
        await tick()
        await tick()

    def patient(action: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            while True:
                try:
                    await action()
                except Crash:
                    platform.restart()
                else:
                    return

        return run

    platform.bus.drain = patient(drain)  # type: ignore[method-assign]
    platform.bus.tick = patient(tick_twice)  # type: ignore[method-assign]


def outcome(platform: Pipeline) -> dict[str, Any]:
    """All that must come out the same, whatever happened on the way, but for the words of the messages."""
    newest = {m.profile_id: m for m in sorted(platform.memberships(), key=lambda message: message.version)}
    return {
        **platform.state(),
        "queues": platform.timers.queues,
        "ids": platform.ids(),
        "memberships": {person: sorted(message.memberships) for person, message in newest.items()},
        "dead letters": {(r.value, dict(r.headers)[failures_v1.REASON]) for r in platform.dead_letters()},
    }


def emitted(platform: Pipeline) -> Emitted:
    """Every message by topic and id. One that was sent twice must be the same, word for word.

    A verdict about people whom the graph has never seen is one dead letter for each time that it was said.
    """
    found: Emitted = defaultdict(dict)
    for record in platform.records():
        if record.topic not in UNNUMBERED:
            value = found[record.topic].setdefault(id_of(record), record.value or b"")
            assert value == record.value, f"two messages of {record.topic} under one id"
    return found


def id_of(record: Incoming) -> str:
    """The id of a message; of a dead letter where it comes from, and why it is one."""
    said = {name: value.decode() for name, value in record.headers}
    if record.topic.endswith(".dlq"):
        return "/".join(said[name] for name in LETTER)
    return said["ce_id"]
