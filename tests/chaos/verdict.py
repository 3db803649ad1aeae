"""Holds what was found against what must be: a list of differences that a person can read, empty if all agrees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cdp_contracts import failures_v1
from cdp_contracts.topics import (
    EVENTS_PERMITTED,
    EVENTS_RECEIVED,
    EVENTS_REJECTED,
    EVENTS_RESOLVED,
    EVENTS_VALIDATED,
    EVENTS_WITHHELD,
    IDENTITIES_MERGE_REFUSED,
    IDENTITIES_MERGED,
    PROFILES_UPDATED,
    dead_letter_topics,
)

from tests.chaos.observed import Observed, message_id
from tests.chaos.oracle import Outcome, Person, hashed
from tests.chaos.oracle_segments import segments_of
from tests.chaos.story import Id, Story
from tests.chaos.tape import Message

SHOWN: Final = 6

Differences = Iterator[str]


def differences(
    story: Story, acknowledged: Iterable[str], begun: datetime, out: Outcome, seen: Observed
) -> list[str]:
    """Everything that is not as it must be."""
    known = {root: profile for root in out.persons if (profile := profile_of(root, out, seen))}
    return [
        *conserved(story, set(acknowledged), out, seen),
        *exits(story, out, seen),
        *consents(out, seen),
        *partition(out, seen),
        *merges(story, out, seen, known),
        *(line for root, profile in known.items() for line in person(out.persons[root], seen, profile, begun)),
        *(line for profile in known.values() for line in histories(story, seen, profile)),
    ]


def conserved(story: Story, acknowledged: set[str], out: Outcome, seen: Observed) -> Differences:
    """In = out + rejected + withheld + dead-lettered, hop by hop, each event counted once by its id."""
    received, validated, permitted, resolved, updated, rejected, withheld = (
        {message_id(message) for message in seen.of(topic.name, story)}
        for topic in (
            EVENTS_RECEIVED, EVENTS_VALIDATED, EVENTS_PERMITTED, EVENTS_RESOLVED, PROFILES_UPDATED,
            EVENTS_REJECTED, EVENTS_WITHHELD,
        )
    )  # fmt: skip
    updated -= {unmerge.message_id for unmerge in story.unmerges}
    yield from unequal("acknowledged, but not in events.received", acknowledged - received, set())
    yield from unequal("collector: received = validated + rejected", validated | rejected, received)
    yield from unequal("collector: both validated and rejected", validated & rejected, set())
    yield from unequal("consent: validated = permitted + withheld", permitted | withheld, validated)
    yield from unequal("identity: permitted = resolved", resolved, permitted)
    yield from unequal("profiles: resolved = updated", updated, resolved)
    both = permitted & withheld
    yield from unequal(
        "both permitted and withheld, though nobody took anything back", both - out.restricted_later, set()
    )
    for topic in dead_letter_topics():
        for letter in seen.records[topic]:
            headers = {name: value.decode("utf-8", "replace") for name, value in letter.record.headers}
            yield f"dead-lettered in {topic}: {headers.get(failures_v1.REASON)} {message_id(letter.message)}"


def exits(story: Story, out: Outcome, seen: Observed) -> Differences:
    """Each event leaves by the right door, for the right reason, with one id."""
    rules = told_of(seen.of(EVENTS_REJECTED.name, story), "rule")
    yield from unequal("rejected", {i: {rule} for i, rule in out.rejected.items()}, rules)
    reasons = told_of(seen.of(EVENTS_WITHHELD.name, story), "reason")
    passed = {message_id(message) for message in seen.of(EVENTS_RESOLVED.name, story)}
    wrong = {
        i: sorted(reasons.get(i, ()))
        for i in {*out.withheld, *reasons} - passed
        if not fitting(out.withheld.get(i), reasons.get(i, set()))
    }
    yield from unequal("withheld", wrong, {})
    updates = [m for m in seen.of(PROFILES_UPDATED.name, story) if m["cause"] == "event"]
    purposes: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for message in updates:
        purposes[message_id(message)].add(tuple(sorted(message["purposes"])))
    yield from unequal(
        "permitted, with these purposes", {i: {p} for i, p in out.permitted.items()}, dict(purposes)
    )
    for topic in (EVENTS_VALIDATED, EVENTS_RESOLVED, PROFILES_UPDATED):
        ids = told_of([m for m in seen.of(topic.name, story) if m.get("cause") != "merge"], "id")
        yield from unequal(
            f"several ids of one event in {topic.name}", {i: n for i, n in ids.items() if len(n) > 1}, {}
        )


def fitting(expected: str | None, reasons: set[str]) -> bool:
    """Whether one of the reasons is the right one. What could not be read was not answered."""
    return expected in reasons or (expected == "not-asked" and "unparsable" in reasons)


def told_of(messages: Iterable[Message], what: str) -> dict[str, set[str]]:
    """What was said in a field, by message id."""
    found: dict[str, set[str]] = defaultdict(set)
    for message in messages:
        found[message_id(message)].add(message[what])
    return dict(found)


def consents(out: Outcome, seen: Observed) -> Differences:
    """What stands for every id."""
    expected = {f"{one} {purpose}": c.standing for (one, purpose), c in out.consents.standing.items()}
    found = {f"{one} {purpose}": standing for (one, purpose), standing in seen.consents.items()}
    yield from unequal("consent", expected, found)
    yield from unequal("consent ledgers that do not hold", seen.broken_chains, [])


def on_events(person: Person) -> set[Id]:
    """Every id that the person can be looked up by."""
    mails = {("email", mail) for event in person.events if (mail := hashed(event))}
    return person.ids - person.away | mails


def partition(out: Outcome, seen: Observed) -> Differences:
    """Which ids lead to which people: as many, and the same ones."""
    roots: dict[Id, set[Id]] = defaultdict(set)
    for root, someone in out.persons.items():
        for one in on_events(someone):
            roots[one].add(root)
    by_profile: dict[str, set[Id]] = defaultdict(set)
    for one, profiles in seen.holders.items():
        for profile in profiles:
            by_profile[profile].add(one)
    expected = {frozenset(on_events(someone)) for someone in out.persons.values()}
    found = {frozenset(ids) for ids in by_profile.values()}
    yield from unequal("people, by their ids", expected, found)


def profile_of(root: Id, out: Outcome, seen: Observed) -> str | None:
    """The profile of a person: the one that answers to all ids of it and to no other."""
    ids = on_events(out.persons[root])
    common = set.intersection(*(set(seen.holders.get(one, ())) for one in ids))
    others = {profile for one, profiles in seen.holders.items() if one not in ids for profile in profiles}
    return (common - others).pop() if len(common - others) == 1 else None


def merges(story: Story, out: Outcome, seen: Observed, known: Mapping[Id, str]) -> Differences:
    """What was told of merges is what the profiles say, and the refusals are those of two users on one device."""
    told = seen.of(IDENTITIES_MERGED.name, story)
    absorbed = {message["absorbed"] for message in told}
    views = [seen.profiles[profile] for profile in known.values() if profile in seen.profiles]
    yield from unequal("merged", absorbed, {i for view in views for i in view["merged_from"]})
    applied = {m["absorbed"] for m in seen.of(PROFILES_UPDATED.name, story) if m.get("absorbed")}
    yield from unequal("merges told by profiles", absorbed, applied)
    into = {i: view["id"] for view in views for i in view["merged_from"]}
    pairs = {
        frozenset(into.get(message[who], message[who]) for who in ("profile_id", "other"))
        for message in seen.of(IDENTITIES_MERGE_REFUSED.name, story)
    }
    expected = {frozenset(known.get(out.people.find(one), "?") for one in pair) for pair in out.people.refused}
    yield from unequal("refused merges", expected, pairs)


def person(expected: Person, seen: Observed, profile: str, begun: datetime) -> Differences:
    """Traits, counters, times and ids of one person, and the segments that subscribers know them in."""
    view = seen.profiles.get(profile)
    name = sorted(expected.ids)
    if view is None:
        yield f"{name}: profile {profile} is not told"
        return
    traits = {n: (t["value"], instant(t["occurred_at"]), t["message_id"]) for n, t in view["traits"].items()}
    wanted = {n: (value, at(begun, when), by) for n, (value, when, by) in expected.traits.items()}
    yield from unequal(f"{name} traits", wanted, traits)
    yield from unequal(f"{name} counters", expected.counters, dict(sorted(view["counters"].items())))
    first, last = expected.seen
    times = [instant(view["first_seen"]), instant(view["last_seen"])]
    yield from unequal(f"{name} seen", [at(begun, first), at(begun, last)], times)
    kinds = {kind: sum(one[0] == kind for one in expected.ids) for kind in ("user_id", "anonymous_id")}
    yield from unequal(f"{name} ids", kinds, {kind: view["identifiers"].get(kind, 0) for kind in kinds})
    yield from unequal(f"{name} segments", sorted(segments_of(expected)), known_in(seen, profile))
    left_over = {i: known_in(seen, i) for i in view["merged_from"] if known_in(seen, i)}
    yield from unequal(f"{name} segments of absorbed profiles", left_over, {})


def known_in(seen: Observed, profile: str) -> list[str]:
    """The segments that a subscriber knows a profile in, who keeps the highest version."""
    newest = max(seen.memberships(profile), key=lambda message: int(message["version"]), default=None)
    return sorted(newest["memberships"]) if newest else []


def histories(story: Story, seen: Observed, profile: str) -> Differences:
    """Versions and revisions rise by one from one, and the same number never says something else."""
    view = seen.profiles.get(profile, {"merged_from": []})
    for one in (profile, *view["merged_from"]):
        flips = [(message["version"], message) for message in seen.memberships(one)]
        yield from history(f"{one} membership versions", flips)
        yield from unequal(f"{one} membership versions, as first told", sorted(dict(flips)), list(dict(flips)))
        updates = [m for m in seen.of(PROFILES_UPDATED.name, story) if m["profile_id"] == one]
        yield from history(f"{one} revisions", [(m["revision"], {"id": m["id"]}) for m in updates])


def history(name: str, told: list[tuple[int, Message]]) -> Differences:
    """Without a gap, and told again word for word. Events and merges are told by two stages, in no one order."""
    first: dict[int, Message] = {}
    for number, message in told:
        if first.setdefault(number, message) != message:
            yield f"{name}: {number} says two things: {first[number]} and {message}"
    yield from unequal(name, list(range(1, len(first) + 1)), sorted(first))


def at(begun: datetime, milliseconds: int) -> datetime:
    """An instant of the story."""
    return begun + timedelta(milliseconds=milliseconds)


def instant(text: str) -> datetime:
    """An instant as the read API tells it."""
    return datetime.fromisoformat(text)


def unequal(name: str, expected: Any, found: Any) -> Differences:
    """A line if they differ: only what differs, where both are sets or mappings."""
    if expected == found:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
        shown = [f"{key}: expected {expected.get(key)}, found {found.get(key)}" for key in keys[:SHOWN]]
        yield f"{name}: {len(keys)} differ\n      " + "\n      ".join(shown)
    elif isinstance(expected, set) and isinstance(found, set):
        missing, more = list(map(plain, expected - found)), list(map(plain, found - expected))
        yield f"{name}: expected and missing {missing[:SHOWN]}, found beyond it {more[:SHOWN]}"
    else:
        yield f"{name}: expected {expected}, found {found}"


def plain(value: Any) -> Any:
    """For a person's eyes."""
    return sorted(value) if isinstance(value, frozenset) else value
