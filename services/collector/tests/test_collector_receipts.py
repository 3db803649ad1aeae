"""A receipt is a join: whatever the order of the facts and however often they come, it says the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cdp_collector.domain.facts import (
    Change,
    Fact,
    Merged,
    Moved,
    Parting,
    Rejected,
    Resolved,
    SetAside,
    Unmerged,
    Withheld,
    set_aside,
    trace_id,
)
from cdp_collector.domain.receipts import Known, Receipt, entries, receipt_of
from cdp_collector.domain.texts import Entry, join, stamp
from cdp_collector.domain.trails import DIGITS, Trail
from cdp_collector.handlers import SLIM, fact_of
from cdp_contracts import failures_v1
from cdp_contracts.topics import EVENTS_RESOLVED, topic_named
from cdp_runtime.transport import Incoming
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ADA, BOB = str(UUID(int=1)), str(UUID(int=2))
TRACE = "a" * 32
COMMON = {"tenant": "demo", "message_id": "m-1", "received_at": NOON}

resolved = Resolved(**COMMON, source="web", profile_id=ADA, part="c" * 32)
withheld = Withheld(**COMMON, source="web", purposes=("analytics", "ads"), reason="denied")


def rejected(rule: str = "plan-type", seconds: float = 0) -> Rejected:
    at = COMMON | {"received_at": NOON + timedelta(seconds=seconds)}
    return Rejected(**at, source="web", rule=rule, pointer="/properties/a price", expected="number", got="string")


def letter(service: str = "profiles", topic: str = "cdp.events.resolved.v1", seconds: float = 0) -> SetAside:
    return SetAside(
        tenant="demo", message_id="m-1", topic=f"{topic}.{service}.dlq", service=f"{service}-writer",
        stage="update_profiles", reason="missing at /id", place="3:17",
        failed_at=NOON + timedelta(seconds=seconds),
    )  # fmt: skip


def moved(segment: str = "vip", version: int = 1, cause: str = "event", *, member: bool = True) -> Moved:
    change = Change(segment=segment, segment_version=2, member=member, cause=cause, effective_at=NOON)
    return Moved(**COMMON, version=version, changes=(change,))


def noted(*facts: Fact | SetAside) -> dict[str, str]:
    """The texts that these facts leave behind."""
    texts: dict[str, str] = {}
    for fact in facts:
        for entry in entries(fact, TRACE):
            join(texts, entry.field, entry.text)
    return texts


def receipt(*facts: Fact | SetAside, place: str | None = None, owner: Trail | None = None) -> Receipt:
    return receipt_of("m-1", Known(noted(*facts), place), owner)


instants = st.floats(0, 100).map(lambda seconds: NOON + timedelta(seconds=seconds))
facts = st.one_of(
    st.just(resolved),
    st.just(withheld),
    st.builds(rejected, st.sampled_from(["plan-type", "plan-required", "size"]), st.floats(0, 100)),
    st.builds(letter, st.sampled_from(["profiles", "segments"]), seconds=st.floats(0, 100)),
    st.builds(moved, st.sampled_from(["vip", "new"]), st.integers(1, 9), member=st.booleans()),
)


@given(st.lists(facts, max_size=8), st.data())
def test_the_order_of_the_facts_and_their_number_do_not_matter(told: list[Fact | SetAside], data) -> None:
    again = data.draw(st.lists(st.sampled_from(told), max_size=4)) if told else []
    other = data.draw(st.permutations([*told, *again]))
    assert noted(*told) == noted(*other)


@given(st.lists(facts, min_size=1, max_size=8))
def test_every_set_of_facts_makes_a_receipt(told: list[Fact | SetAside]) -> None:
    made = receipt(*told)
    assert (made.rejected is not None) == any(isinstance(fact, Rejected) for fact in told)
    assert (made.resolved is not None) == (resolved in told)
    assert {move.segment for move in made.segments} == {c.segment for f in told if isinstance(f, Moved)
                                                        for c in f.changes}  # fmt: skip


def test_a_resolved_event_says_when_whose_and_by_which_trace() -> None:
    made = receipt(resolved, moved(), place="3:7")
    assert made.outcome == "resolved"
    assert (made.accepted.received_at, made.accepted.source, made.accepted.place) == (NOON, "web", "3:7")
    assert made.resolved is not None
    assert (made.resolved.profile_id, made.resolved.merged_into) == (ADA, None)
    (move,) = made.segments
    assert (move.segment, move.segment_version, move.entered, move.version) == ("vip", 2, True, 1)
    assert made.trace_id == TRACE


def test_a_rejection_names_rule_and_pointer_and_the_newest_stays() -> None:
    made = receipt(rejected("plan-required", 1), rejected("plan-type"))
    assert made.outcome == "rejected"
    assert made.rejected is not None
    assert (made.rejected.rule, made.rejected.pointer) == ("plan-required", "/properties/a price")


def test_a_better_try_after_a_rejection_counts() -> None:
    assert receipt(rejected(), place="0:9").outcome == "in-flight"
    assert receipt(rejected(), resolved, place="0:9").outcome == "resolved"


def test_a_withheld_event_names_purposes_and_reason() -> None:
    made = receipt(withheld)
    assert made.outcome == "withheld"
    assert made.withheld is not None
    assert (made.withheld.purposes, made.withheld.reason) == (("analytics", "ads"), "denied")


def test_what_is_only_known_to_have_come_is_in_flight() -> None:
    made = receipt(place="3:7")
    assert (made.outcome, made.accepted.place, made.accepted.source) == ("in-flight", "3:7", None)


def test_copies_are_counted_with_the_place_of_the_first() -> None:
    made = receipt_of("m-1", Known(noted(resolved), "3:7", {"3:9": "3:7", "1:4": "3:7"}), None)
    assert made.duplicates is not None
    assert (made.duplicates.count, made.duplicates.of) == (2, "3:7")


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ((letter("consent", "cdp.events.validated.v1"),), "dead-lettered"),
        ((letter("consent", "cdp.events.validated.v1"), resolved), "resolved"),
        ((letter(), resolved), "dead-lettered"),
        ((letter("segments", "cdp.profiles.updated.v1"), resolved), "dead-lettered"),
    ],
)
def test_a_dead_letter_stands_unless_the_event_came_past_it(told, outcome: str) -> None:
    made = receipt(*told)
    assert made.outcome == outcome
    assert made.dead_letters[0].reason == "missing at /id"
    assert made.dead_letters[0].place == "3:17"


@pytest.mark.parametrize("cause", ["timer", "definition"])
def test_no_event_moved_whom_the_clock_or_a_definition_moved(cause: str) -> None:
    assert noted(moved(cause=cause)) == {}


def test_a_merge_is_kept_by_the_profile_that_is_gone() -> None:
    (entry,) = entries(Merged(**COMMON, profile_id=ADA, absorbed=BOB), TRACE)
    assert isinstance(entry, Entry)
    assert (entry.kind, entry.name) == ("merged", BOB)
    assert entry.text.endswith(f" {ADA}")


def test_a_parting_is_kept_by_the_profile_that_was_parted_by_identifier():
    parting = Parting(profile_id=BOB, identifiers=("c" * 32, "d" * 32))
    told = list(entries(Unmerged(**COMMON, profile_id=ADA, version=2, partings=(parting,)), TRACE))
    assert [(e.kind, e.name, e.field) for e in told] == [
        ("merged", ADA, "a:" + "c" * DIGITS), ("merged", ADA, "a:" + "d" * DIGITS)
    ]  # fmt: skip
    assert {entry.text for entry in told} == {f"{2:013d} {stamp(NOON)} {BOB}"}


def test_every_text_of_a_resolved_event_and_of_a_profile_is_short_enough_for_a_compact_hash():
    unmerged = Unmerged(**COMMON, profile_id=ADA, version=2, partings=(
        Parting(profile_id=BOB, identifiers=("c" * 32,)),
    ))  # fmt: skip
    texts = [entry for fact in (resolved, unmerged) for entry in entries(fact, TRACE)]
    assert max(len(part) for entry in texts for part in (entry.field, entry.text)) == 64


def test_a_receipt_says_whose_it_is_since_a_merge_or_an_unmerge_and_when():
    merged = receipt(resolved, owner=Trail(BOB)).resolved
    parted = receipt(resolved, owner=Trail(BOB, "c", "1", stamp(NOON))).resolved
    back = receipt(resolved, owner=Trail(ADA, "c", "1", stamp(NOON))).resolved
    assert merged is not None
    assert parted is not None
    assert back is not None
    assert (merged.merged_into, merged.unmerged_to, merged.unmerged_at) == (BOB, None, None)
    assert (parted.merged_into, parted.unmerged_to, parted.unmerged_at) == (None, BOB, NOON)
    assert (back.merged_into, back.unmerged_to, back.unmerged_at) == (None, None, None)


def test_what_was_attributed_before_identifiers_were_kept_follows_merges_alone():
    trail = Known({"r": f"{stamp(NOON)} {ADA}"}).trail
    assert trail is not None
    assert trail.fields == ["i"]
    assert Known({}).trail is None


def test_a_dead_letter_of_unreadable_bytes_belongs_to_nobody() -> None:
    for value in (b"\xff", b"[]", b"{}", b'{"tenant": 1, "message_id": 2}', b"[" * 100_000, None):
        found = set_aside("t.dlq", {failures_v1.FAILED_AT: "never"}, value, NOON)
        assert (found.message_id, found.reason, found.failed_at) == ("", "unknown", NOON)
        assert list(entries(found, "")) == []


def test_a_dead_letter_of_an_event_as_sent_is_found_by_the_stamp_of_the_edge() -> None:
    value = json.dumps({"messageId": "m-1", "edge": {"tenant": "demo"}}).encode()
    found = set_aside("t.dlq", {failures_v1.SERVICE: "collector-validator"}, value, NOON)
    assert (found.tenant, found.message_id, found.service) == ("demo", "m-1", "collector-validator")


def test_a_text_of_a_letter_is_one_line_whatever_its_headers_say() -> None:
    value = json.dumps({"message_id": "m-1", "tenant": "demo"}).encode()
    headers = {failures_v1.REASON: "a\nb  c", failures_v1.SERVICE: "\n", failures_v1.STAGE: "s t"}
    made = receipt(set_aside("t.dlq", headers, value, NOON))
    assert made.dead_letters[0].service == "unknown"
    assert "\n" not in "".join(noted(set_aside("t.dlq", headers, value, NOON)).values())


def test_a_reader_of_receipts_asks_for_nothing_that_the_contracts_do_not_have() -> None:
    for name, topic in SLIM.items():
        assert topic.model.model_fields.keys() <= topic_named(name).model.model_fields.keys()


def test_what_is_no_message_of_its_topic_is_refused() -> None:
    with pytest.raises(ValidationError):
        fact_of(Incoming(EVENTS_RESOLVED.name, 0, 0, NOON, None, b"{}"))


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{TRACE}-{'b' * 16}-01", TRACE),
        ("", ""),
        ("nonsense", ""),
        ("00-a-b-c", ""),
        (f"00-{'jane@x.com' * 4}-b-01", ""),
    ],
)
def test_a_trace_is_read_from_its_header(header: str, trace: str) -> None:
    assert trace_id(header) == trace
