"""Unmerges on the graph. The split is one compare-and-set; what comes before it leads nowhere without it.

    plan     what is about to be split is noted, so that whoever repeats the unmerge finds it
    bear     the new entities are stored: nothing leads to them yet
    split    the entity lets go of the identifiers and from now on leads to whom they are: the unmerge is a fact
    tidy up  evidence across the parts is reverted, and pointers are moved, so that nobody walks the whole way

It is done again from the start wherever it was stopped. A plan that lost the compare-and-set stays behind, with
entities that nobody will ever reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cdp_identity.domain.entities import Entity
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.rules import SHIPPED, SUBJECT
from cdp_identity.domain.splitting import Split, Unmerge, split, was_split_by
from cdp_identity.store.graph import IdentityGraph
from cdp_identity.store.ports import GraphStore
from cdp_identity.store.unions import Rounds, Unions
from cdp_identity.store.view import PointerCache, View


class NothingToPart(LookupError):  # noqa: N818
    """None of the identifiers is of that profile, or no other would be left on it."""


async def part(graph: IdentityGraph, unmerge: Unmerge) -> Split:
    """Make what was one person several; the same again if it comes again. NothingToPart as there.

    Identifiers that are somebody else's by now are left where they are. One identifier at least stays.
    """
    rounds = Rounds()
    while True:
        rounds.take()
        if done := await _done(graph.store, unmerge):
            await _tidy_up(graph, done, unmerge.at)
            return done
        view = View(graph.store, PointerCache(0))
        kept = await _kept(view, unmerge)
        groups, rest = await _grouped(view, kept, unmerge)
        if groups and not was_split_by(kept, unmerge.id):
            plan, (after, *parts) = split(kept, unmerge, groups, rest)
            await graph.store.add_splits([plan])
            await view.bear(parts)
            await view.swap(after)
        elif not await _done(graph.store, unmerge):
            raise NothingToPart


async def members_of(view: View, entity: Entity) -> list[Identifier]:
    """All identifiers of an active entity, oldest first, of equal age the one that counts for more."""
    below = {entity.id, *(merge.absorbed for merge in entity.merges)}
    found = await view.store.members(entity.tenant, below)
    await view.load(pointer.identifier for pointer in found)
    mine = [p.identifier for p in found if (await whose(view, p.identifier)).id == entity.id]
    return sorted(mine, key=lambda i: (entity.claims.get(i, entity.born), SHIPPED.priority(i.kind), i))


async def whose(view: View, identifier: Identifier) -> Entity:
    """The person of an identifier that is known."""
    person = await view.person(identifier)
    if person is None:
        raise LookupError("an identifier that points to an entity is not stored")
    return person


async def _kept(view: View, unmerge: Unmerge) -> Entity:
    if not await view.store.entities([unmerge.of]):
        raise NothingToPart
    entity = await Unions(view).active(unmerge.of)
    if entity.tenant != unmerge.tenant:
        raise NothingToPart
    return entity


async def _grouped(view: View, kept: Entity, unmerge: Unmerge) -> tuple[list[list[Identifier]], list[Identifier]]:
    """The entity's identifiers by group, and the rest; the last group is the rest if nothing else would be."""
    mine = {identifier.pseudonym: identifier for identifier in await members_of(view, kept)}
    groups: list[list[Identifier]] = []
    for group in unmerge.groups:
        found = [mine.pop(name) for name in dict.fromkeys(group) if name in mine]
        if found:
            groups.append(found)
    rest = list(mine.values()) or (groups.pop() if groups else [])
    return groups, rest


async def _done(store: GraphStore, unmerge: Unmerge) -> Split | None:
    """The split that came to pass, if one did."""
    plans = await store.splits(unmerge.id)
    entities = await store.entities({plan.kept for plan in plans}) if plans else {}
    return next((plan for plan in plans if plan.key in entities[plan.kept].splits), None)


async def _tidy_up(graph: IdentityGraph, done: Split, at: int) -> None:
    """Only what was known by then is taken back: what joins the parts later stands, should this come again."""
    links = [link for link in await graph.store.links_of(done.moved.keys()) if link.seen_at <= at]
    await graph.store.revert([link for link in links if _crosses(done, link.first, link.other)], done.unmerge)
    await _repoint(graph, [Identifier(SUBJECT, name) for name in done.moved])


def _crosses(done: Split, first: str, other: str) -> bool:
    return done.moved.get(first) != done.moved.get(other)


async def _repoint(graph: IdentityGraph, identifiers: Iterable[Identifier]) -> None:
    """Move pointers until all lead straight to where they lead: another worker may move one to the old place."""
    rounds, left = Rounds(), list(identifiers)
    while left:
        rounds.take()
        view = View(graph.store, PointerCache(0))
        await view.load(left)
        left = await _astray(view, left)
        await view.compress()


async def _astray(view: View, identifiers: Sequence[Identifier]) -> list[Identifier]:
    return [i for i in identifiers if (await whose(view, i)).id != view.pointer(i)]
