"""The union protocol: freeze, absorb, commit. Each step is one compare-and-set on one document.

    freeze   the loser becomes `merging`: nothing can be added to it any more
    absorb   the winner takes all that the loser holds; from here on the merge is a fact
    commit   the loser becomes a redirect
    roll back, instead of absorb, if the winner has meanwhile become one that it must not be part of

Losers are always younger than winners, so redirects cannot form a circle. A worker that meets a `merging`
entity finishes it, whoever began; so a crash anywhere leaves nothing that the next reader does not heal.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from cdp_runtime.failures import Conflict

from cdp_identity.domain.entities import Entity, Link, Refusal
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.marks import Mark
from cdp_identity.domain.rules import SHIPPED, Bounds
from cdp_identity.domain.sharing import mark_due
from cdp_identity.domain.sightings import Sighting
from cdp_identity.store.ports import Pointer
from cdp_identity.store.view import View


class Rounds:
    """Tries under contention. Somebody wins each one, so running out means backing off."""

    def __init__(self, left: int = 100) -> None:
        self._left = left

    def take(self) -> None:
        """One more try; Conflict if there have been too many."""
        self._left -= 1
        if self._left < 0:
            raise Conflict("too many compare-and-sets were lost in a row")


class Unions:
    """Joins what was seen together, within the limits. Safe to be stopped anywhere and begun again."""

    def __init__(self, view: View) -> None:
        self.view = view

    async def connect(self, sighting: Sighting) -> list[Refusal]:
        """Bring all identifiers of a sighting to the person of the first one; say which limits forbade it.

        They are tried by priority, so it is the weakest that a limit leaves out. One that must stay apart keeps
        its entity, or gets one of its own if it is new.
        """
        home = await self._home(sighting)
        refusals: list[Refusal] = []
        for identifier, link in sighting.links():
            if self.view.pointer(identifier) is None:
                via = sighting.first.pseudonym
                if await self.attach(home, identifier, sighting, via):
                    await self._bear(identifier, sighting)
            if refusal := await self.join(home, self.where(identifier), link, sighting.bounds):
                refusals.append(refusal)
            await self.share(sighting, identifier)
        return refusals

    async def join(self, home: UUID, other: UUID, link: Link, bounds: Bounds) -> Refusal | None:
        """Make two entities one; None when they are, else why they must not be."""
        rounds = Rounds()
        while True:
            rounds.take()
            one, two = await self.settled(home), await self.settled(other)
            if one.id == two.id:
                return None
            if bars := one.bars(two, link, bounds):
                return Refusal(one.id, two.id, bars[0], link)
            winner, loser = sorted((one, two), key=lambda entity: entity.age)
            if await self.view.swap(loser.frozen(winner.id, link, bounds)):
                await self.finish(loser.id)

    async def attach(self, to: UUID, identifier: Identifier, sighting: Sighting, via: str) -> bool:
        """Point a new identifier at a person; True if that is forbidden.

        The person claims it first: what the person becomes part of later knows of it. Another worker may point
        it elsewhere in between; `join` then brings the two together.
        """
        rounds = Rounds()
        while True:
            rounds.take()
            entity = await self.settled(to)
            if entity.bars_new([identifier], sighting.bounds, sighting.seen_at, via):
                return True
            if await self.view.swap(entity.claiming([identifier], sighting.seen_at)):
                await self.view.point([Pointer(identifier, sighting.tenant, entity.id)])
                return False

    async def share(self, sighting: Sighting, identifier: Identifier) -> None:
        """Mark a device as shared, or whom it was last used by, if this sighting shows it."""
        await self._mark(
            identifier, lambda owner, home: mark_due(sighting, identifier, home, owner), self.where(sighting.first)
        )

    async def block(self, identifier: Identifier, at: int) -> bool:
        """Mark an identifier as nobody's from a moment on; False if it was before."""

        def due(owner: Entity, _: Entity) -> Mark | None:
            known = owner.marks.get(identifier.pseudonym)
            return None if known and known.state == "blocked" else Mark("blocked", at)

        return await self._mark(identifier, due, self.where(identifier))

    async def veto(self, identifier: Identifier, veto: str) -> None:
        """Let the person of an identifier never be one with whoever has the opposite veto."""
        rounds = Rounds()
        while True:
            rounds.take()
            entity = await self.settled(self.where(identifier))
            if veto in entity.vetoes or await self.view.swap(entity.vetoing(veto)):
                return

    async def _mark(self, identifier: Identifier, due: Callable[[Entity, Entity], Mark | None], of: UUID) -> bool:
        rounds = Rounds()
        while True:
            rounds.take()
            home, owner = await self.settled(of), await self.settled(self.where(identifier))
            mark = due(owner, home)
            if mark is None:
                return False
            if await self.view.swap(owner.marked(identifier.pseudonym, mark)):
                return True

    async def settled(self, entity_id: UUID) -> Entity:
        """The active root. If it is on its way into another, it is brought there first."""
        rounds = Rounds()
        while True:
            rounds.take()
            entity = await self.view.root(entity_id)
            if entity.state == "active":
                return entity
            await self.finish(entity.id)

    async def finish(self, entity_id: UUID) -> None:
        """Bring a merge to its end, by commit or by roll-back, by the bounds of whoever began it."""
        rounds = Rounds()
        while True:
            rounds.take()
            loser = await self.view.entity(entity_id)
            if loser.state != "merging" or loser.into is None or loser.link is None:
                return
            winner = await self.view.root(loser.into)
            if winner.state == "merging":
                await self.finish(winner.id)
            elif winner.has_absorbed((loser.id,)):
                await self.view.swap(loser.merged(winner.id))
            elif winner.bars(loser, loser.link, loser.bounds or SHIPPED.bounds):
                await self.view.swap(loser.thawed())
            else:
                await self.view.swap(winner.absorbing(loser))

    def where(self, identifier: Identifier) -> UUID:
        """The entity of an identifier that has one."""
        entity = self.view.pointer(identifier)
        if entity is None:
            raise LookupError("an identifier that was pointed at an entity is not stored")
        return entity

    async def _home(self, sighting: Sighting) -> UUID:
        first = sighting.first
        if self.view.pointer(first) is None and not await self._adopted(sighting):
            await self._bear(first, sighting)
        return (await self.settled(self.where(first))).id

    async def _adopted(self, sighting: Sighting) -> bool:
        for identifier in sighting.identifiers[1:]:
            other = self.view.pointer(identifier)
            if other and not await self.attach(other, sighting.first, sighting, identifier.pseudonym):
                return True
        return False

    async def _bear(self, identifier: Identifier, sighting: Sighting) -> None:
        entity = sighting.newborn(identifier)
        await self.view.bear([entity])
        await self.view.point([Pointer(identifier, sighting.tenant, entity.id)])
