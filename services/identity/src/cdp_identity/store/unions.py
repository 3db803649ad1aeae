"""The union protocol: freeze, absorb, commit. Each step is one compare-and-set on one document.

    freeze   the loser becomes `merging`: nothing can be added to it any more
    absorb   the winner takes all that the loser holds; from here on the merge is a fact
    commit   the loser becomes a redirect
    roll back, instead of absorb, if the winner has meanwhile become one that it must not be part of

A freeze holds for one epoch of the winner. Within it winners only grow, so whoever finds that the two must not be
one finds what everybody finds; and once it is over, nobody absorbs what was frozen in it.

Losers are always younger than winners, so redirects cannot form a circle. A worker that meets a `merging`
entity finishes it, whoever began; so a crash anywhere leaves nothing that the next reader does not heal.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from cdp_runtime.failures import Conflict

from cdp_identity.domain.entities import Entity, Link, Refusal, given_at, opposite
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
        await self._home(sighting)
        home = sighting.first
        refusals: list[Refusal] = []
        for identifier, link in sighting.links():
            new = self.view.pointer(identifier) is None
            if new and await self.attach(home, identifier, sighting):
                await self._bear(identifier, sighting)
            if refusal := await self.join(home, identifier, link, sighting.bounds):
                refusals.append(refusal)
            await self.share(sighting, identifier)
        return refusals

    async def join(self, home: Identifier, other: Identifier, link: Link, bounds: Bounds) -> Refusal | None:
        """Make the persons of two identifiers one; None when they are, else why they must not be."""
        rounds = Rounds()
        while True:
            rounds.take()
            one, two = await self.settled(home), await self.settled(other)
            if one.id == two.id:
                return None
            if bars := one.bars(two, link, bounds):
                return Refusal(one.id, two.id, bars[0], link)
            winner, loser = sorted((one, two), key=lambda entity: entity.age)
            if await self.view.swap(loser.frozen(winner, link, bounds)):
                await self.finish(loser.id)

    async def attach(self, to: Identifier, identifier: Identifier, sighting: Sighting) -> bool:
        """Point a new identifier at the person of another one; True if that is forbidden.

        The person claims it first: what the person becomes part of later knows of it. Another worker may point
        it elsewhere in between; `join` then brings the two together.
        """
        rounds = Rounds()
        while True:
            rounds.take()
            entity = await self.settled(to)
            if entity.bars_new([identifier], sighting.bounds, sighting.seen_at, to.pseudonym):
                return True
            if await self.view.swap(entity.claiming([identifier], sighting.seen_at)):
                await self.view.point([Pointer(identifier, sighting.tenant, entity.id)])
                return False

    async def share(self, sighting: Sighting, identifier: Identifier) -> None:
        """Mark a device as shared, or whom it was last used by, if this sighting shows it."""
        await self._mark(
            identifier, lambda owner, home: mark_due(sighting, identifier, home, owner), sighting.first
        )

    async def block(self, identifier: Identifier, at: int) -> bool:
        """Mark an identifier as nobody's from a moment on; False if it was before."""

        def due(owner: Entity, _: Entity) -> Mark | None:
            known = owner.marks.get(identifier.pseudonym)
            return None if known and known.state == "blocked" else Mark("blocked", at)

        return await self._mark(identifier, due, identifier)

    async def veto(self, identifier: Identifier, veto: str) -> None:
        """Let the person of an identifier never be one with whoever has the opposite veto."""
        rounds = Rounds()
        while True:
            rounds.take()
            entity = await self.settled(identifier)
            if veto in entity.vetoes or await self.view.swap(entity.vetoing(veto)):
                return

    async def lift(self, first: Identifier, other: Identifier, before: int) -> None:
        """Take back the vetoes from before a moment between the persons of two identifiers. Safe twice."""
        rounds = Rounds()
        while True:
            rounds.take()
            one, two = await self.settled(first), await self.settled(other)
            opposed = [veto for veto in two.vetoes if opposite(veto) in one.vetoes and given_at(veto) < before]
            if one.id == two.id or not opposed or await self.view.swap(two.lifting(opposed)):
                return

    async def _mark(
        self, identifier: Identifier, due: Callable[[Entity, Entity], Mark | None], of: Identifier
    ) -> bool:
        rounds = Rounds()
        while True:
            rounds.take()
            home, owner = await self.settled(of), await self.settled(identifier)
            mark = due(owner, home)
            if mark is None:
                return False
            if await self.view.swap(owner.marked(identifier.pseudonym, mark)):
                return True

    async def settled(self, identifier: Identifier) -> Entity:
        """Whose an identifier is: the active root. If it is on its way into another, it is brought there first."""
        return await self.active(self._where(identifier), identifier.pseudonym)

    async def active(self, entity_id: UUID, pseudonym: str = "") -> Entity:
        """The active root of an entity, or of an identifier that points to it."""
        rounds = Rounds()
        while True:
            rounds.take()
            entity = await self.view.root(entity_id, pseudonym)
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
            elif winner.epoch < loser.held:  # read before what the loser was frozen for
                self.view.forget((winner.id,))
            elif winner.epoch > loser.held or winner.bars(loser, loser.link, loser.bounds or SHIPPED.bounds):
                await self.view.swap(loser.thawed())
            else:
                await self.view.swap(winner.absorbing(loser))

    def _where(self, identifier: Identifier) -> UUID:
        """The entity of an identifier that has one."""
        entity = self.view.pointer(identifier)
        if entity is None:
            raise LookupError("an identifier that was pointed at an entity is not stored")
        return entity

    async def _home(self, sighting: Sighting) -> None:
        if self.view.pointer(sighting.first) is None and not await self._adopted(sighting):
            await self._bear(sighting.first, sighting)
        await self.settled(sighting.first)

    async def _adopted(self, sighting: Sighting) -> bool:
        for identifier in sighting.identifiers[1:]:
            known = self.view.pointer(identifier) is not None
            if known and not await self.attach(identifier, sighting.first, sighting):
                return True
        return False

    async def _bear(self, identifier: Identifier, sighting: Sighting) -> None:
        entity = sighting.newborn(identifier)
        await self.view.bear([entity])
        await self.view.point([Pointer(identifier, sighting.tenant, entity.id)])
