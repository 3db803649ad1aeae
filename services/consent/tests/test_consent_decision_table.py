"""The whole truth table of the gate, held to a second telling of its rules; and every broken signal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cdp_consent.domain.choices import SEVERITY, Choices
from cdp_consent.domain.decision import Permitted, Verdict, Withheld, message_of
from cdp_consent.domain.gate import ids_of, judge
from cdp_consent.domain.ledger import Subject
from cdp_consent.store import SubjectRecord
from cdp_contracts.events_v1 import EventPermitted, EventValidated, EventWithheld
from consent_builders import NOON, PSEUDONYMS, after, at, book, event, policy, signal

GPC = ("analytics", "marketing")
BOOK = book()

STATES: dict[str, Choices] = {
    "never": after(),
    "granted": after(signal("1", 1, analytics=True)),
    "granted-over-gpc": after(signal("1", 1, gpc=GPC), signal("2", 2, analytics=True)),
    "gpc": after(signal("1", 1, gpc=GPC)),
    "granted-then-gpc": after(signal("1", 1, analytics=True), signal("2", 2, gpc=GPC)),
    "unreadable": after(signal("1", 1, unreadable=True)),
    "denied": after(signal("1", 1, analytics=False)),
    "withdrawn": after(signal("1", 1, analytics=True), signal("2", 2, analytics=False)),
}
SAID: dict[str, dict[str, Any]] = {
    "nothing": {},
    "yes": {"choices": {"Analytics": True}},
    "no": {"choices": {"Analytics": False}},
    "nothing-allowed": {"choices": {}},
    "unknown-words": {"choices": {"Weather": True}},
    "unparsable": {"unparsable": True},
    "half-parsable-yes": {"unparsable": True, "choices": {"Analytics": True}},
    "half-parsable-no": {"unparsable": True, "choices": {"Analytics": False}},
}
PLACES: dict[str | None, tuple[str, bool]] = {  # code: the default there, and whether Sec-GPC denies
    "DE": ("denied", False),
    "EU": ("denied", False),
    "US-CA": ("granted", True),
    "BR": ("granted", False),
    "US": ("denied", True),
    "XX": ("denied", True),
    "Atlantis": ("denied", True),
    None: ("denied", True),
}


class Row(NamedTuple):
    """One line of the table."""

    place: str | None
    gpc: bool
    user: str
    device: str
    said: str
    deliberate: bool


def rows() -> Iterator[Row]:
    """Every combination."""
    return (Row(*row) for row in product(PLACES, (False, True), STATES, STATES, SAID, (False, True)))


# What stands for an id afterwards, by what the event says (the rows) and what stood before (the columns).
COLUMNS = ("never", "granted", "granted-over-gpc", "gpc", "granted-then-gpc", "unreadable", "denied", "withdrawn")
HEARD: dict[str, tuple[str | None, ...]] = {
    "silent": (None, "granted", "granted", "gpc", "gpc", "not-asked", "denied", "withdrawn"),
    "silent, gpc": ("gpc", "gpc", "granted", "gpc", "gpc", "not-asked", "denied", "withdrawn"),
    "yes": ("granted", "granted", "granted", "gpc", "gpc", "granted", "granted", "granted"),
    "yes, gpc": ("gpc", "gpc", "granted", "gpc", "gpc", "gpc", "gpc", "gpc"),
    "deliberate yes": ("granted",) * 8,
    "no": ("denied", "withdrawn", "withdrawn", "denied", "withdrawn", "denied", "denied", "withdrawn"),
    "unreadable": ("not-asked",) * 8,
    "half-readable no": ("denied",) * 8,
}


def heard_as(row: Row) -> str:
    """Which row of HEARD an event is."""
    if row.said in ("no", "nothing-allowed"):
        return "no"
    if row.said == "half-parsable-no":
        return "half-readable no"
    if row.said == "yes" and row.deliberate:
        return "deliberate yes"
    if row.said == "yes" or (row.said == "nothing" and not row.deliberate):
        spoken = "yes" if row.said == "yes" else "silent"
        return f"{spoken}, gpc" if row.gpc and PLACES[row.place][1] else spoken
    return "unreadable"


def state_after(state: str, row: Row) -> str | None:
    """What stands for an id once it has heard the event."""
    return HEARD[heard_as(row)][COLUMNS.index(state)]


def expected(row: Row) -> str:
    """`granted` or `default` if the event may pass, else the reason why not."""
    standings = {state_after(row.user, row), state_after(row.device, row)} - {None}
    if row.said in ("no", "nothing-allowed", "half-parsable-no"):
        standings.add("denied")
    if not standings:
        return "default" if PLACES[row.place][0] == "granted" else "not-asked"
    worst = max((s for s in standings if s), key=SEVERITY.__getitem__)
    return "unparsable" if worst == "not-asked" and heard_as(row) == "unreadable" else worst


def decided(said: EventValidated, user: Choices, device: Choices) -> Verdict:
    """The verdict on one event whose user and device chose so before."""
    ids = ids_of(said, PSEUDONYMS)
    known = {i: SubjectRecord(i) for i in ids.bearing}
    for i, choices in zip(ids.speaking, (user, device), strict=True):
        known[i].subject = Subject(i, "demo", choices)
    return judge([(said, ids)], known, BOOK, NOON)[0][1]


def outcome(verdict: Verdict) -> str:
    """The verdict in a word."""
    return verdict.reason if isinstance(verdict, Withheld) else verdict.decision.basis["analytics"]


def row_event(row: Row) -> EventValidated:
    """The event of a line."""
    kind = "consent" if row.deliberate else "track"
    return event("e", 3, user="ann", kind=kind, place=row.place, gpc=row.gpc, **SAID[row.said])


def test_every_row_of_the_truth_table() -> None:
    wrong, seen = [], 0
    for row in rows():
        verdict = decided(row_event(row), STATES[row.user], STATES[row.device])
        seen += 1
        if outcome(verdict) != expected(row):
            wrong.append((row, outcome(verdict), expected(row)))
    assert not wrong, f"{len(wrong)} of {seen} rows, such as {wrong[:3]}"
    assert seen == 8 * 2 * 8 * 8 * 8 * 2


def test_the_second_telling_lets_nothing_pass_in_an_opt_in_place_without_a_yes() -> None:
    yes = {"granted", "granted-over-gpc", "granted-then-gpc"}
    for row in rows():
        if PLACES[row.place][0] == "denied" and not yes & {row.user, row.device} and row.said != "yes":
            assert expected(row) not in ("granted", "default"), row


BROKEN_OR_MISSING: dict[str, tuple[dict[str, Any], str]] = {
    "nothing said, and none before": ({}, "not-asked"),
    "an empty object": ({"choices": {}}, "denied"),
    "names nobody knows": ({"choices": {"C9999": True}}, "unparsable"),
    "a name that differs by a letter": ({"choices": {"Analytic": True}}, "unparsable"),
    "an empty name": ({"choices": {"": True}}, "unparsable"),
    "unparsable": ({"unparsable": True}, "unparsable"),
    "unparsable with a yes in it": ({"unparsable": True, "choices": {"Analytics": True}}, "unparsable"),
    "a consent event that says nothing": ({"kind": "consent"}, "unparsable"),
    "a yes to something else": ({"choices": {"Advertising": True}}, "not-asked"),
    "a yes and a no for one purpose": ({"choices": {"Analytics": True, "C0002": False}}, "denied"),
    "no place": ({"place": None}, "not-asked"),
    "an unknown place": ({"place": "Nowhere"}, "not-asked"),
    "a place too wide": ({"place": "US"}, "not-asked"),
    "Sec-GPC where it counts": ({"gpc": True, "place": "US-CA"}, "gpc"),
    "Sec-GPC and no place": ({"gpc": True, "place": None}, "gpc"),
    "Sec-GPC with a yes on the same ordinary event": (
        {"gpc": True, "place": "US-CA", "choices": {"Analytics": True}}, "gpc",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_OR_MISSING)
def test_what_is_missing_or_broken_stops_the_event(name: str) -> None:
    fields, reason = BROKEN_OR_MISSING[name]
    verdict = decided(event("e", user="ann", **fields), Choices(), Choices())
    assert verdict == Withheld(("analytics",), reason)


def test_without_a_policy_nothing_passes() -> None:
    for said in SAID.values():
        lost = event("e", tenant="elsewhere", place="US-CA", **said)
        ids = ids_of(lost, PSEUDONYMS)
        known = {i: SubjectRecord(i) for i in ids.bearing}
        assert judge([(lost, ids)], known, BOOK, NOON)[0][1] == Withheld((), "no-policy")


def test_a_choice_without_a_policy_to_read_it_by_takes_every_grant_back() -> None:
    said = event("e", 5, device="phone", tenant="elsewhere", choices={"Analytics": False})
    ids = ids_of(said, PSEUDONYMS)
    known = {i: SubjectRecord(i) for i in ids.bearing}
    for i in ids.speaking:
        known[i].subject = Subject(i, "elsewhere", STATES["granted"])
    judge([(said, ids)], known, BOOK, NOON)
    assert known[ids.speaking[0]].subject.choices.standing("analytics", at(60)) == "not-asked"


def test_all_required_purposes_must_be_allowed() -> None:
    said = event("e", user="ann", choices={"Analytics": True})
    ids = ids_of(said, PSEUDONYMS)
    known = {i: SubjectRecord(i) for i in ids.bearing}
    both = book(policy(requires=("analytics", "marketing")))
    assert judge([(said, ids)], known, both, NOON)[0][1] == Withheld(("marketing",), "not-asked")


def test_the_decision_says_what_is_allowed_and_on_what_ground() -> None:
    said = event("e", user="ann", place="US-CA", choices={"Advertising": False})
    verdict = decided(said, Choices(), Choices())
    assert isinstance(verdict, Permitted)
    assert verdict.decision.model_dump() == {
        "purposes": ("analytics",),
        "basis": {"analytics": "default", "marketing": "denied"},
        "jurisdiction": "US-CA",
        "policy": "default",
        "policy_version": 1,
    }


def test_a_permitted_event_is_the_event_with_the_decision() -> None:
    said = event("e", user="ann", choices={"Analytics": True})
    sent = message_of(said, decided(said, Choices(), Choices()))
    assert isinstance(sent, EventPermitted)
    again = EventPermitted.model_validate_json(sent.model_dump_json())
    assert again == sent
    assert again.model_dump(exclude={"id", "decision"}) == said.model_dump(exclude={"id"})
    assert again.id != said.id


def test_a_withheld_event_leaves_nothing_personal_behind() -> None:
    said = event("e", user="canary-user", device="canary-device", previous="canary-previous", kind="alias")
    ids = ids_of(said, PSEUDONYMS)
    verdict = judge([(said, ids)], {i: SubjectRecord(i) for i in ids.bearing}, book(), NOON)[0][1]
    sent = message_of(said, verdict)
    assert isinstance(sent, EventWithheld)
    assert "canary" not in sent.model_dump_json()
    assert sent.message_id == "e"


def test_the_readme_shows_the_table() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text()
    shown = text.split("<!-- heard: begin -->\n")[1].split("<!-- heard: end -->")[0]
    lines = [
        ("the event says", *COLUMNS),
        *((said, *(cell or "nothing" for cell in row)) for said, row in HEARD.items()),
    ]
    header, *body = [f"| {' | '.join(line)} |" for line in lines]
    assert shown.splitlines() == [header, "|" + "---|" * len(lines[0]), *body]
