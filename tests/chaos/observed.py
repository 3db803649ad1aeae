"""What the platform says of a story in the end: its topics, its read API, its record of consent."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import httpx
from cdp_consent.domain.ledger import verify
from cdp_consent.store import MongoConsentStore
from cdp_contracts.topics import MEMBERSHIP_CHANGED
from cdp_devstack.platform import PEPPER, READ_TOKEN, TENANT
from cdp_devstack.running import Running
from cdp_runtime.pseudonyms import Pseudonymizer
from cdp_runtime.settings import MongoSettings
from pydantic import SecretStr

from tests.chaos.oracle import PURPOSES, concerned, hashed
from tests.chaos.story import Id, Json, Story
from tests.chaos.tape import Message, Seen, Tape

AT_ONCE: Final = 8


@dataclass
class Observed:
    """Everything that was found."""

    records: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    holders: dict[Id, tuple[str, ...]] = field(default_factory=dict)
    """The profiles that answer to an id."""
    profiles: dict[str, Json] = field(default_factory=dict)
    consents: dict[tuple[Id, str], str] = field(default_factory=dict)
    broken_chains: list[Id] = field(default_factory=list)

    def add(self, found: Mapping[str, Sequence[Seen]]) -> None:
        """Take in what was read."""
        for topic, records in found.items():
            self.records[topic] += records

    def of(self, topic: str, story: Story) -> list[Message]:
        """The messages that events of the story caused."""
        return [seen.message for seen in self.records[topic] if message_id(seen.message).startswith(story.prefix)]

    def memberships(self, profile: str) -> list[Message]:
        """What subscribers were told of a profile, in its order."""
        messages = (seen.message for seen in self.records[MEMBERSHIP_CHANGED.name])
        return [message for message in messages if message["profile_id"] == profile]


def message_id(message: Message) -> str:
    """What the sender called the event; events as sent are in camel case."""
    return str(message.get("messageId") or message.get("message_id") or "")


async def observe(up: Running, story: Story, tape: Tape) -> Observed:
    """Ask everybody."""
    observed = Observed()
    observed.add(await tape.read())
    await look_up(up, ids_in(story), observed)
    await standings(up, story, observed)
    return observed


def ids_in(story: Story) -> list[Id]:
    """Every id by which somebody may be looked up."""
    good = [event for event in story.events.values() if not event.wrong]
    mails = {("email", mail) for event in good if (mail := hashed(event))}
    return sorted({one for event in good for one in event.ids} | mails)


async def look_up(up: Running, ids: Iterable[Id], observed: Observed) -> None:
    """Who answers to each id, and the profiles that do."""
    token = {"Authorization": f"Bearer {READ_TOKEN}"}
    limit = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=up.url("profiles-http"), headers=token, timeout=30) as api:

        async def ask(one: Id) -> tuple[Id, httpx.Response]:
            async with limit:
                return one, await api.get("/v1/profiles", params={one[0]: one[1]})

        for one, answer in await asyncio.gather(*map(ask, ids)):
            found: Any = answer.json()
            match answer.status_code:
                case httpx.codes.OK:
                    observed.holders[one] = (found["id"],)
                    observed.profiles[found["id"]] = found
                case httpx.codes.CONFLICT:
                    observed.holders[one] = tuple(sorted(found["profiles"]))
                case httpx.codes.NOT_FOUND:
                    observed.holders[one] = ()
                case _:
                    answer.raise_for_status()
        for profile in {
            profile for held in observed.holders.values() for profile in held
        } - observed.profiles.keys():
            observed.profiles[profile] = (await api.get(f"/v1/profiles/{profile}")).raise_for_status().json()


async def whose(up: Running, user: str) -> UUID:
    """The profile of a user."""
    token = {"Authorization": f"Bearer {READ_TOKEN}"}
    async with httpx.AsyncClient(base_url=up.url("profiles-http"), headers=token, timeout=30) as api:
        found = (await api.get("/v1/profiles", params={"user_id": user})).raise_for_status().json()
    return UUID(found["id"])


async def standings(up: Running, story: Story, observed: Observed) -> None:
    """What stands for every id, held against the chain that proves it."""
    pseudonyms = Pseudonymizer(PEPPER.encode())
    store = MongoConsentStore(MongoSettings(url=SecretStr(up.stack.mongo)))
    ids = {one for event in story.events.values() if not event.wrong for one in concerned(event)}
    try:
        for one in sorted(ids):
            pseudonym = pseudonyms.of(TENANT, *one)
            subject, entries = await store.chain(pseudonym)
            if verify(entries, subject) is not None:
                observed.broken_chains.append(one)
            standing = subject.choices.snapshot()
            everything = standing.get("*")
            for purpose in PURPOSES:
                if found := standing.get(purpose, everything):
                    observed.consents[one, purpose] = found
    finally:
        await store.close()
