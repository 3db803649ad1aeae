"""What rules would have made of the links that are stored: the same protocol, over again, on a graph in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final
from uuid import UUID

from cdp_contracts.envelope import derived_id
from pydantic import BaseModel, ConfigDict, Field

from cdp_identity.domain.entities import Link
from cdp_identity.domain.identifiers import Identifier, Sign
from cdp_identity.domain.rules import Kind, Rules
from cdp_identity.domain.sightings import Sighting
from cdp_identity.domain.verdicts import Verdict
from cdp_identity.store.graph import IdentityGraph
from cdp_identity.store.history import History, Ways
from cdp_identity.store.memory import MemoryGraphStore
from cdp_identity.store.verdicts import UnknownIdentifier, forbid

BATCH: Final = 500
LARGEST: Final = 10
NOTE: Final = (
    "Counted against the persons as they are. Applying rules splits nobody and merges nobody by itself: a tighter "
    "limit holds for links from then on, a looser one for events that come again."
)


class Cluster(BaseModel):
    """A person under the new rules: one of its identifiers, and how many it has."""

    model_config = ConfigDict(frozen=True)

    identifier: str
    kind: Kind
    size: int


class Report(BaseModel):
    """The blast radius of a change of rules. Counts and pseudonyms only."""

    model_config = ConfigDict(frozen=True)

    links: int = Field(description="evidence that was gone through")
    whole: bool = Field(description="false: there is more than was gone through, the newest is missing")
    persons_now: int
    persons_then: int
    persons_split: int = Field(description="persons of today who would be several")
    persons_joined: int = Field(description="persons under the new rules who are several today")
    merges_refused: int = Field(description="pairs that are one person today and would have been refused")
    refused_by: dict[str, int] = Field(description="refusals under the new rules, by what forbids them")
    refusals_merged: int = Field(description="pairs that were refused and would be one person")
    identifiers_blocked: int = Field(description="identifiers that would stand for nobody, by list or by fan-in")
    shared_devices: int
    largest: tuple[Cluster, ...]
    note: str = NOTE


async def rehearse(history: History, rules: Rules, listed: AbstractSet[str] = frozenset()) -> Report:
    """Go through a history under other rules; `listed` are the pseudonyms of values that they block."""
    store = MemoryGraphStore()
    graph = IdentityGraph(store)
    waiting: list[Sighting] = []
    for sighting in sightings(history, rules, listed):
        waiting.append(sighting)
        if len(waiting) == BATCH or is_veto(sighting):
            await _live(graph, waiting)
            waiting = []
    await _live(graph, waiting)
    return _report(history, store, listed)


def is_veto(sighting: Sighting) -> bool:
    """Whether it says that two are not one person."""
    return len(sighting.signs) > 1 and any(sign.rule == "do-not-link" for sign in sighting.signs)


async def _live(graph: IdentityGraph, batch: list[Sighting]) -> None:
    if batch and is_veto(batch[-1]):
        last = batch.pop()
        await graph.resolve(batch)
        one, two = last.identifiers[:2]
        verdict = Verdict(last.event, last.tenant, one, two, "do-not-link", last.by, last.seen_at, last.rules)
        try:
            await forbid(graph, verdict)
        except UnknownIdentifier:  # the rules to be tried out know one of the two no more
            return
    else:
        await graph.resolve(batch)


def sightings(history: History, rules: Rules, listed: AbstractSet[str]) -> Iterable[Sighting]:
    """What was seen, by the links that were made of it, as the rules would have read it.

    A link that an unmerge reverted is a veto.
    """
    events: dict[UUID, list[Sign]] = {}
    about: dict[UUID, Link] = {}
    for link in history.links:
        if link.reverted_by:
            yield from reverted(history, link, rules)
            continue
        signs = events.setdefault(link.event, [])
        about.setdefault(link.event, link)
        for name, rule in ((link.first, "same-event"), (link.other, link.rule)):
            sign = Sign(Identifier(history.kinds.get(name, "subject"), name), rule)  # type: ignore[arg-type]
            if all(known.identifier != sign.identifier for known in signs):
                signs.append(sign)
    for event, signs in events.items():
        link = about[event]
        trust = rules.trust(link.source)
        kept = [s for s in signs if trust.may_assert(s.identifier.kind) and s.identifier.pseudonym not in listed]
        kept.sort(key=lambda sign: rules.priority(sign.identifier.kind))
        if kept:
            found = tuple(kept[: rules.per_event])
            yield Sighting(event, link.tenant, link.source, link.seen_at, found, rules, by=link.by)


def reverted(history: History, link: Link, rules: Rules) -> Iterable[Sighting]:
    """Both ends, each alone, and that they are not one person."""
    first, other = (Identifier(history.kinds.get(name, "subject"), name) for name in (link.first, link.other))
    for number, signs in enumerate(((Sign(first),), (Sign(other),), (Sign(first), Sign(other, "do-not-link")))):
        event = derived_id(link.event, link.key, number)
        yield Sighting(event, link.tenant, link.source, link.seen_at, signs, rules, by=link.by)


def _report(history: History, store: MemoryGraphStore, listed: AbstractSet[str]) -> Report:
    ways = Ways.of(store.population.values())
    then = {name: ways.lead(pointer.entity, name) for name, pointer in store.pointing.items()}
    linked = {name for link in history.links for name in (link.first, link.other)}
    now = {name: history.owners[name] for name in linked if name in history.owners}
    alone = [name for name in now if name not in then]  # whatever the rules make nobody's is nobody's companion
    then |= {name: UUID(int=n) for n, name in enumerate(alone)}
    roots = {person: store.population[person] for person in set(then.values()) if person in store.population}
    marks = Counter(mark.state for root in roots.values() for mark in root.marks.values())
    refused = {(r.link.first, r.link.other) for r in store.refused.values()}
    sizes = Counter(then.values())
    shown = {person: name for name, person in sorted(then.items(), reverse=True)}
    return Report(
        links=len(history.links),
        whole=history.whole,
        persons_now=len(set(now.values())),
        persons_then=len(sizes),
        persons_split=_several(now, then),
        persons_joined=_several(then, now),
        merges_refused=sum(_one(now, pair) for pair in refused),
        refused_by=dict(Counter(refusal.limit for refusal in store.refused.values())),
        refusals_merged=sum(_one(then, pair) for pair in history.refused),
        identifiers_blocked=marks["blocked"] + len(listed & history.kinds.keys()),
        shared_devices=marks["shared"],
        largest=tuple(
            Cluster(identifier=shown[person], kind=history.kinds.get(shown[person], "subject"), size=size)
            for person, size in sizes.most_common(LARGEST)
        ),
    )


def _several(these: Mapping[str, UUID], those: Mapping[str, UUID]) -> int:
    """How many groups of these are in more than one of those."""
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for name, person in these.items():
        if name in those:
            found[person].add(those[name])
    return sum(len(persons) > 1 for persons in found.values())


def _one(owners: Mapping[str, UUID], pair: tuple[str, str]) -> bool:
    first, other = (owners.get(name) for name in pair)
    return first is not None and first == other
