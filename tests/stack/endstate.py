"""What a replay leaves behind, told by the stores and topics alone, in terms that do not differ between runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdp_cli.records import read_to_end
from cdp_consent.domain.ledger import Break, verify
from cdp_consent.store import MongoConsentStore
from cdp_contracts.segments_v1 import MembershipChanged
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_devstack.api import Api
from cdp_devstack.exits import read_exits
from cdp_devstack.running import Running
from cdp_profiles.domain.profile import Profile
from cdp_runtime.records import restored
from cdp_runtime.settings import MongoSettings
from cdp_segments.domain.person import Person
from pydantic import BaseModel, ConfigDict, JsonValue, SecretStr
from pymongo import MongoClient

SHOWN = (
    "engaged-shoppers", "active-shoppers-24h", "cart-no-purchase", "browses-rarely-buys", "loyal-mobile",
)  # fmt: skip


class Frozen(BaseModel):
    """A value."""

    model_config = ConfigDict(frozen=True)


class Someone(Frozen):
    """A person, without ids that are drawn by chance and without times."""

    traits: dict[str, JsonValue]
    counters: dict[str, int]
    identifiers: tuple[tuple[str, str], ...]
    memberships: tuple[str, ...]
    told: tuple[str, ...]
    """The memberships as a subscriber knows them."""


class Consent(Frozen):
    """What stands for one id, and the entries that prove it."""

    standing: dict[str, str]
    entries: tuple[tuple[int, str, str, tuple[tuple[str, str], ...]], ...]


class EndState(Frozen):
    """Everything that must be the same whatever happened meanwhile. Events by message id: copies are allowed."""

    people: dict[str, Someone]
    consents: dict[str, Consent]
    sizes: dict[str, int]
    received: frozenset[str]
    rejected: frozenset[str]
    withheld: frozenset[str]
    resolved: frozenset[str]


async def read_end_state(up: Running) -> EndState:
    """Read everything, and hold it against itself: exits, chains, and what subscribers were told."""
    exits = await read_exits(up.stack.kafka)
    withheld = exits.withheld - exits.resolved  # a copy after a withdrawal is withheld though the event passed
    assert exits.dead_lettered == 0
    assert exits.resolved == exits.updated & exits.received
    assert exits.received == exits.rejected | withheld | exits.resolved
    assert not exits.rejected & (withheld | exits.resolved)
    return EndState(
        people=people(up, await told(up)),
        consents=await consents(up),
        sizes=await sizes(up),
        received=exits.received,
        rejected=exits.rejected,
        withheld=withheld,
        resolved=exits.resolved,
    )


def people(up: Running, told: Mapping[str, tuple[str, ...]]) -> dict[str, Someone]:
    """Every person by user id, else by device."""
    with MongoClient[dict[str, Any]](up.stack.mongo) as mongo:
        profiles = [restored(Profile, d["_id"], d, "profiles") for d in mongo["cdp_profiles"]["profiles"].find()]
        persons = {
            d["_id"]: restored(Person, d["_id"], d, "people") for d in mongo["cdp_segments"]["people"].find()
        }
    alive = {profile.id: profile for profile in profiles if not profile.into}
    assert [i for i, person in persons.items() if person.members and i not in alive] == []
    known = [(name_of(profile), someone(profile, persons[i], told)) for i, profile in alive.items()]
    assert len(dict(known)) == len(known)
    return dict(sorted(known))


def someone(profile: Profile, person: Person, told: Mapping[str, tuple[str, ...]]) -> Someone:
    """A person as profile and segments have it."""
    joined = profile.joined
    assert tuple(sorted(person.members)) == told.get(profile.profile_id, ())
    return Someone(
        traits={name: trait.value for name, trait in sorted(joined.traits.items())},
        counters=dict(sorted(joined.counters.items())),
        identifiers=tuple(sorted(joined.identifiers)),
        memberships=tuple(sorted(person.members)),
        told=told.get(profile.profile_id, ()),
    )


def name_of(profile: Profile) -> str:
    """The user id, else the device."""
    by_kind = {i.kind: i.value for i in sorted(profile.joined.identifiers, reverse=True)}
    return by_kind.get("user_id") or by_kind["anonymous_id"]


async def told(up: Running) -> dict[str, tuple[str, ...]]:
    """The memberships of each profile, as a subscriber has them who keeps the highest version."""
    newest: dict[str, MembershipChanged] = {}
    async for record in read_to_end(up.kafka, [MEMBERSHIP_CHANGED.name]):
        message = MembershipChanged.model_validate_json(record.value or b"")
        known = newest.get(str(message.profile_id))
        if known is None or message.version >= known.version:
            newest[str(message.profile_id)] = message
    return {i: tuple(sorted(message.memberships)) for i, message in newest.items()}


async def consents(up: Running) -> dict[str, Consent]:
    """What stands for each id; every chain must hold."""
    store = MongoConsentStore(MongoSettings(url=SecretStr(up.stack.mongo)))
    try:
        chains = [chain async for chain in store.chains()]
    finally:
        await store.close()
    breaks: Iterable[Break] = filter(None, (verify(entries, subject) for subject, entries in chains))
    assert list(breaks) == []
    return {
        subject.id: Consent(
            standing=dict(subject.choices.snapshot()),
            entries=tuple((e.seq, e.channel, e.message_id, tuple(sorted(e.states.items()))) for e in entries),
        )
        for subject, entries in chains
    }


async def sizes(up: Running) -> dict[str, int]:
    """The sizes of the segments that the file alone can tell, as the read API has them."""
    api = Api(up)
    try:
        found = await api.sizes()
    finally:
        await api.close()
    return {name: found[name] for name in SHOWN}
