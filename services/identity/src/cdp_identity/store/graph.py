"""The identity graph as the handler sees it: sightings in, resolutions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from cdp_identity.domain.entities import Link, Refusal, refusal_key
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.sharing import mark_due, whose
from cdp_identity.domain.sightings import Sighting, births
from cdp_identity.store.ports import GraphStore, Pointer
from cdp_identity.store.quarantine import quarantine
from cdp_identity.store.reading import readable
from cdp_identity.store.unions import Unions
from cdp_identity.store.view import Beside, PointerCache, View, side_by_side

Told = Mapping[str, Refusal]


class IdentityGraph:
    """Resolves batches of sightings, alone or beside other workers on the same store.

    Known identifiers cost two round trips a batch, one when they are cached; new persons three more a batch;
    only real unions cost round trips of their own. `beside` does what needs no order at once.
    """

    def __init__(self, store: GraphStore, cache_size: int = 100_000, beside: Beside = side_by_side) -> None:
        self.store = store
        self._cache = PointerCache(cache_size)
        self._beside = beside

    async def resolve(self, sightings: Sequence[Sighting]) -> list[Resolution]:
        """Whose each sighting is now, and what it did to the graph, in the same order.

        Safe twice: a merge or refusal that a sighting caused is told each time the sighting comes again, a refusal
        unless another event has made the two one since. Raises Conflict under extreme contention, and whatever
        the store raises when it is away.
        """
        view = View(self.store, self._cache, self._beside)
        read = await readable(view, sightings)
        unsettled = [sighting for sighting in read if not await is_settled(view, sighting, {})]
        told = await self._told(view, unsettled)
        open_ = [sighting for sighting in unsettled if not await is_settled(view, sighting, told)]
        blocked: Mapping[UUID, tuple[Identifier, ...]] = {}
        if open_:
            noted, blocked = await self._connect(view, open_, told)
            told = {**told, **noted}
        await view.compress()
        by_event = refusals_by_event(told)
        return [await resolution(view, sighting, by_event, blocked) for sighting in read]

    async def ping(self) -> None:
        """Raise if the store does not answer."""
        await self.store.ping()

    async def _told(self, view: View, sightings: Sequence[Sighting]) -> Told:
        keys = {
            refusal_key(link, bar)
            for sighting in sightings
            for identifier, link in sighting.links()
            for bar in await bars(view, sighting, identifier, link)
        }
        return await self.store.refusals(keys) if keys else {}

    async def _connect(
        self, view: View, sightings: Sequence[Sighting], told: Told
    ) -> tuple[Told, Mapping[UUID, tuple[Identifier, ...]]]:
        links: dict[str, Link] = {}
        for sighting in sightings:
            for identifier, link in sighting.links():
                known = await is_one(view, sighting, identifier) or await is_told(
                    view, sighting, identifier, link, told
                )
                if not known:
                    links.setdefault(link.pair, link)
        await self._bear(view, sightings, list(links.values()))
        unions = Unions(view)
        refusals = [
            refusal
            for sighting in sightings
            if not await is_settled(view, sighting, told)
            for refusal in await unions.connect(sighting)
            if refusal.key not in told
        ]
        noted, new = await self._note(refusals)
        return noted, await quarantine(unions, sightings, new)

    async def _bear(self, view: View, sightings: Sequence[Sighting], links: Sequence[Link]) -> None:
        """Store the evidence, then point to the persons first seen here."""
        born = births(sightings, lambda identifier: view.pointer(identifier) is not None)
        if not born:
            if links:
                await self.store.add_links(links)
            return
        there = await view.bear([birth.entity for birth in born], links)
        await view.point([Pointer(birth.first, birth.entity.tenant, birth.entity.id) for birth in born])
        # What others have meanwhile done with the first identifier, or with the entity, is for the unions.
        await view.point([
            Pointer(identifier, birth.entity.tenant, birth.entity.id)
            for birth in born
            if birth.entity.id not in there and view.pointer(birth.first) == birth.entity.id
            for identifier in birth.others
        ])  # fmt: skip

    async def _note(self, refusals: Sequence[Refusal]) -> tuple[Told, list[Refusal]]:
        """All that is told of these now, and those that nobody had noted before."""
        if not refusals:
            return {}, []
        noted = {refusal.key: refusal for refusal in reversed(refusals)}
        there = await self.store.add_refusals(list(noted.values()))
        new = [refusal for key, refusal in noted.items() if key not in there]
        return {**noted, **(await self.store.refusals(there) if there else {})}, new


async def bars(view: View, sighting: Sighting, identifier: Identifier, link: Link) -> tuple[str, ...]:
    """What keeps two known persons of a sighting apart, as far as this pass has read them."""
    home, root = await view.person(sighting.first), await view.person(identifier)
    if home is None or root is None:
        return ()
    return home.bars(root, link, sighting.bounds) if home.id != root.id else ()


async def is_one(view: View, sighting: Sighting, identifier: Identifier) -> bool:
    """Whether an identifier belongs to the person of the first one already: then there is no evidence to add."""
    home, root = await view.person(sighting.first), await view.person(identifier)
    return home is not None and root is not None and home.id == root.id


async def is_told(view: View, sighting: Sighting, identifier: Identifier, link: Link, told: Told) -> bool:
    """Whether the two stay apart, and that has been told."""
    return any(refusal_key(link, bar) in told for bar in await bars(view, sighting, identifier, link))


async def is_settled(view: View, sighting: Sighting, told: Told) -> bool:
    """Whether nothing is to be done: all its identifiers are one active person's, or known to stay apart."""
    home = await view.person(sighting.first)
    if home is None or home.state != "active":
        return False
    for sign in sighting.signs[1:]:
        identifier = sign.identifier
        root = await view.person(identifier)
        if root is None:
            return False
        if root.id == home.id and not root.marks:
            continue
        if mark_due(sighting, identifier, home, root):
            return False
        if root.id != home.id and not (
            told and await is_told(view, sighting, identifier, sighting.link(sign), told)
        ):
            return False
    return True


def refusals_by_event(told: Told) -> Mapping[UUID, list[Refusal]]:
    """What each event is to tell."""
    found: dict[UUID, list[Refusal]] = {}
    for refusal in told.values():
        found.setdefault(refusal.link.event, []).append(refusal)
    return found


async def resolution(
    view: View,
    sighting: Sighting,
    told: Mapping[UUID, list[Refusal]],
    blocked: Mapping[UUID, tuple[Identifier, ...]],
) -> Resolution:
    """Whose a settled sighting is, with the merges and refusals that go back to it."""
    root = await view.person(sighting.first)
    if root is None:
        raise LookupError("a resolved identifier is not stored")
    person, part = whose(sighting, root), sighting.first.pseudonym
    if isinstance(person, Identifier):
        await view.load([person])
        owner = await view.person(person)
        person, part = (owner.id, person.pseudonym) if owner else (root.id, part)
    return Resolution(
        profile_id=person,
        part=part,
        merges=root.merges_by(sighting.event),
        refusals=tuple(sorted(told[sighting.event], key=lambda r: r.key)) if sighting.event in told else (),
        blocked=blocked.get(sighting.event, ()) if blocked else (),
    )
