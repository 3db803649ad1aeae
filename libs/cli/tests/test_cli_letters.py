"""Dead letters go back once, in order, as old as they were; what is dropped stays dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cdp_cli.dlq import described, headers_of
from cdp_cli.letters import Wanted, in_order, moment, replayed
from cdp_cli.settling import Settling
from cdp_contracts import failures_v1 as f
from cdp_contracts.topics import EVENTS_RECEIVED, EVENTS_VALIDATED
from cdp_runtime.batch import origin_of
from cdp_runtime.clock import ManualClock
from cdp_runtime.transport import Incoming
from cdp_testkit import LocalBus
from letter_world import NOON, BusProducer, letters, overtaking, set_aside

DEAD = EVENTS_RECEIVED.dead_letters("collector")


def source(
    offset: int,
    *,
    partition: int = 0,
    minutes: int = 0,
    topic: str = EVENTS_RECEIVED.name,
    key: bytes | None = b"k",
) -> Incoming:
    """A record as it stood in its topic."""
    at = NOON - timedelta(hours=1) + timedelta(minutes=minutes)
    return Incoming(
        topic, partition, offset, at, key, f"{partition}:{offset}".encode(), (("traceparent", b"00-1"),)
    )


def values(bus: LocalBus, topic: str = EVENTS_RECEIVED.name) -> list[str]:
    return [(record.value or b"").decode() for record in bus.raw(topic)]


async def still_open(bus: LocalBus) -> list[str]:
    return [letter.place for letter in await letters(bus, DEAD) if not letter.settled]


async def test_a_letter_goes_back_as_it_came_and_keeps_its_first_place_and_time(bus: LocalBus) -> None:
    first = source(41, partition=3, key=None)
    set_aside(bus, first)
    (letter,) = await letters(bus, DEAD)
    back = replayed(letter)
    assert (back.topic, back.key, back.value, back.partition) == (first.topic, first.key, first.value, 3)
    assert back.headers[0] == first.headers[0]
    assert {name for name, _ in back.headers[1:]} == set(f.ORIGIN_HEADERS)
    bus.clock.advance(3600)
    bus.write(back)
    (record,) = bus.raw(EVENTS_RECEIVED.name)
    origin = origin_of(record)
    assert (origin.partition, origin.offset, origin.timestamp) == (3, 41, first.timestamp)
    assert record.timestamp != first.timestamp


async def test_what_fails_again_still_says_where_it_came_from_first(bus: LocalBus, settling: Settling) -> None:
    set_aside(bus, source(41, partition=3))
    await settling.replay(await letters(bus, DEAD), 50)
    (copy,) = bus.raw(EVENTS_RECEIVED.name)
    set_aside(bus, copy)
    (again,) = [letter for letter in await letters(bus, DEAD) if not letter.settled]
    assert (again.origin.partition, again.origin.offset) == (3, 41)
    assert again.origin.timestamp == source(41, partition=3).timestamp


async def test_a_second_replay_finds_nothing_to_do(bus: LocalBus, settling: Settling) -> None:
    set_aside(bus, source(1), source(2))
    await settling.replay(await letters(bus, DEAD), 50)
    await settling.replay(await letters(bus, DEAD), 50)
    assert values(bus) == ["0:1", "0:2"]
    assert settling.done == 2
    assert [letter.settled for letter in await letters(bus, DEAD)] == ["replayed", "replayed"]


async def test_two_letters_of_one_record_are_one_record_again(bus: LocalBus, settling: Settling) -> None:
    set_aside(bus, source(1), source(1), source(2))
    await settling.replay(await letters(bus, DEAD), 50)
    assert values(bus) == ["0:1", "0:2"]
    assert await still_open(bus) == []


async def test_ended_half_way_the_rest_stays_open(bus: LocalBus, producer: BusProducer) -> None:
    set_aside(bus, *(source(n) for n in range(4)))

    class Ends(ManualClock):
        async def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Settling(producer, Ends(NOON), "ann", "", overtaking(bus)).replay(await letters(bus, DEAD), 20)
    assert values(bus) == ["0:0", "0:1"]
    assert await still_open(bus) == ["0:2", "0:3"]


async def test_order_is_by_topic_then_time_and_always_by_offset_within_a_partition(bus: LocalBus) -> None:
    validated = source(0, minutes=-30, topic=EVENTS_VALIDATED.name)
    set_aside(bus, validated, service="consent")
    set_aside(
        bus, source(9, minutes=1), source(7, minutes=5), source(1, partition=1, minutes=9),
        source(3, partition=1, minutes=3),
    )  # fmt: skip
    both = [*await letters(bus, EVENTS_VALIDATED.dead_letters("consent")), *await letters(bus, DEAD)]
    order = [(entry[0].source, (entry[0].record.value or b"").decode()) for entry in in_order(both)]
    assert order == [
        *((EVENTS_RECEIVED.name, place) for place in ("0:7", "0:9", "1:1", "1:3")),
        (EVENTS_VALIDATED.name, "0:0"),
    ]


async def test_no_more_go_back_in_a_second_than_was_said(
    bus: LocalBus, producer: BusProducer, settling: Settling
) -> None:
    set_aside(bus, *(source(n) for n in range(60)))
    await settling.replay(await letters(bus, DEAD), 20)
    for start in (NOON + timedelta(seconds=s) for s in range(3)):
        assert sum(start <= at < start + timedelta(seconds=1) for at in producer.sent_at) == 20


async def test_what_its_topic_does_not_take_stays_open_and_stops_no_other(
    bus: LocalBus, producer: BusProducer, settling: Settling
) -> None:
    set_aside(bus, source(0), source(1), source(2))
    producer.too_large = b"0:1"
    await settling.replay(await letters(bus, DEAD), 100)
    assert set(values(bus)) == {"0:0", "0:2"}
    assert await still_open(bus) == [letter.place for letter in settling.too_large] == ["0:1"]


async def test_what_is_dropped_is_not_replayed_and_says_who_and_why(bus: LocalBus, settling: Settling) -> None:
    set_aside(bus, source(0), source(1))
    await settling.drop([letter for letter in await letters(bus, DEAD) if letter.place == "0:0"])
    assert await still_open(bus) == ["0:1"]
    await settling.replay(await letters(bus, DEAD), 50)
    assert values(bus) == ["0:1"]
    said = dict(bus.raw(DEAD)[2].headers)
    assert (said[f.SETTLED], said[f.SETTLED_BY]) == (b"dropped", b"ann")
    assert said[f.SETTLED_BECAUSE] == b"a fault that was mended"


async def test_letters_are_found_by_service_reason_and_time(bus: LocalBus) -> None:
    set_aside(bus, source(0), reason="KeyError")
    bus.clock.advance(3600)
    set_aside(bus, source(1), reason="json_invalid at /")

    async def found(wanted: Wanted) -> list[str]:
        return [letter.place for letter in await letters(bus, DEAD, wanted)]

    later = moment("30m", bus.clock.now())
    assert await found(Wanted(reason="json")) == ["0:1"]
    assert await found(Wanted(since=later)) == ["0:1"]
    assert await found(Wanted(until=later)) == ["0:0"]
    assert await found(Wanted(service="collector-w")) == ["0:0", "0:1"]
    assert await found(Wanted(service="consent")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOON - timedelta(hours=2)),
        ("90s", NOON - timedelta(seconds=90)),
        ("2026-01-05T10:00", NOON - timedelta(hours=2)),
        ("2026-01-05T12:00:00+02:00", NOON - timedelta(hours=2)),
    ],
)
def test_a_time_is_iso_or_a_duration(text: str, expected: datetime) -> None:
    assert moment(text, NOON) == expected


@pytest.mark.parametrize("text", ["yesterday", "2 h", "-1h", "h"])
def test_any_other_word_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="isoformat"):
        moment(text, NOON)


async def test_nothing_that_may_be_personal_is_shown_unasked(bus: LocalBus) -> None:
    outside = Incoming(EVENTS_RECEIVED.name, 0, 0, NOON, b"jane", b"jane", (("x-user", b"jane"),))
    set_aside(bus, outside)
    (letter,) = await letters(bus, DEAD)
    assert "jane" not in f"{described(letter)} {headers_of(letter, value=False)}"
    assert headers_of(letter, value=True) == {"x-user": "jane"}


async def test_a_letter_that_does_not_say_where_it_came_from_is_left_alone(bus: LocalBus) -> None:
    bus.publish_raw(DEAD, b"?", b"k")
    bus.publish_raw(DEAD, b"?", b"k", ((f.SOURCE_TOPIC, EVENTS_VALIDATED.name.encode()),))
    assert in_order(await letters(bus, DEAD)) == []
