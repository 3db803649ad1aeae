"""The identity graph as the handler sees it: sightings in, resolutions out."""

from __future__ import annotations

from collections.abc import Container, Sequence

from cdp_identity.domain.entities import Refusal
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.sightings import Sighting, births
from cdp_identity.store.ports import GraphStore, Pointer
from cdp_identity.store.unions import Unions
from cdp_identity.store.view import PointerCache, View


class IdentityGraph:
    """Resolves batches of sightings, alone or beside other workers on the same store.

    Known identifiers cost two round trips a batch, one when they are cached; new persons four more a batch;
    only real unions cost round trips of their own.
    """

    def __init__(self, store: GraphStore, cache_size: int = 100_000) -> None:
        self.store = store
        self._cache = PointerCache(cache_size)

    async def resolve(self, sightings: Sequence[Sighting]) -> list[Resolution]:
        """Whose each sighting is now, and what it did to the graph, in the same order.

        Safe twice: a merge or refusal that a sighting caused is told each time the sighting comes again.
        Raises Conflict under extreme contention, and whatever the store raises when it is away.
        """
        view = View(self.store, self._cache)
        await view.load(identifier for sighting in sightings for identifier in sighting.identifiers)
        unsettled = [sighting for sighting in sightings if not await is_settled(view, sighting, ())]
        told = await self._refused(view, unsettled)
        open_ = [sighting for sighting in unsettled if not await is_settled(view, sighting, told)]
        if open_:
            told |= await self._connect(view, open_, told)
        await view.compress()
        return [await resolution(view, sighting, told) for sighting in sightings]

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        await self.store.ping()

    async def _refused(self, view: View, sightings: Sequence[Sighting]) -> dict[str, Refusal]:
        pairs = {
            sighting.pair(identifier)
            for sighting in sightings
            for identifier in sighting.identifiers[1:]
            if view.pointer(identifier) and view.pointer(sighting.first)
        }
        return await self.store.refusals(pairs) if pairs else {}

    async def _connect(
        self, view: View, sightings: Sequence[Sighting], refused: Container[str]
    ) -> dict[str, Refusal]:
        links = [link for sighting in sightings for _, link in sighting.links() if link.pair not in refused]
        if links:
            await self.store.add_links(links)
        await self._bear(view, sightings)
        left = [sighting for sighting in sightings if not await is_settled(view, sighting, refused)]
        unions = Unions(view)
        refusals = [refusal for sighting in left for refusal in await unions.connect(sighting, refused)]
        return await self._note(refusals)

    async def _bear(self, view: View, sightings: Sequence[Sighting]) -> None:
        born = births(sightings, lambda identifier: view.pointer(identifier) is not None)
        if not born:
            return
        there = await view.bear([birth.entity for birth in born])
        await view.point([Pointer(birth.first, birth.entity.tenant, birth.entity.id) for birth in born])
        # What others have meanwhile done with the first identifier, or with the entity, is for the unions.
        await view.point([
            Pointer(identifier, birth.entity.tenant, birth.entity.id)
            for birth in born
            if birth.entity.id not in there and view.pointer(birth.first) == birth.entity.id
            for identifier in birth.others
        ])  # fmt: skip

    async def _note(self, refusals: Sequence[Refusal]) -> dict[str, Refusal]:
        if not refusals:
            return {}
        noted = {refusal.link.pair: refusal for refusal in reversed(refusals)}
        there = await self.store.add_refusals(list(noted.values()))
        return noted | (await self.store.refusals(there) if there else {})


async def is_settled(view: View, sighting: Sighting, refused: Container[str]) -> bool:
    """Whether nothing is to be done: all its identifiers are one active person's, or known to stay apart."""
    entity = view.pointer(sighting.first)
    if entity is None:
        return False
    home = await view.root(entity)
    if home.state != "active":
        return False
    for identifier in sighting.identifiers[1:]:
        other = view.pointer(identifier)
        if other is None or ((await view.root(other)).id != home.id and sighting.pair(identifier) not in refused):
            return False
    return True


async def resolution(view: View, sighting: Sighting, told: dict[str, Refusal]) -> Resolution:
    """Whose a settled sighting is, with the merges and refusals that go back to it."""
    entity = view.pointer(sighting.first)
    if entity is None:
        raise LookupError("a resolved identifier is not stored")
    home = await view.root(entity)
    refusals = (told.get(sighting.pair(identifier)) for identifier in sighting.identifiers[1:]) if told else ()
    return Resolution(
        profile_id=home.id,
        part=sighting.first.pseudonym,
        merges=home.merges_by(sighting.event),
        refusals=tuple(r for r in refusals if r and r.link.event == sighting.event),
    )
