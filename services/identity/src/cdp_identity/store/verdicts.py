"""Verdicts on the graph: a link joins two persons within the limits, a veto keeps them apart."""

from __future__ import annotations

from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.verdicts import Verdict
from cdp_identity.store.graph import IdentityGraph
from cdp_identity.store.unions import Unions
from cdp_identity.store.view import PointerCache, View


class UnknownIdentifier(LookupError):  # noqa: N818
    """A verdict is about an identifier that the graph has never seen."""


async def judge(graph: IdentityGraph, verdict: Verdict) -> Resolution | None:
    """Do what the verdict says; the resolution of a link. Safe twice. UnknownIdentifier as below."""
    if verdict.says == "link":
        return await link(graph, verdict)
    await forbid(graph, verdict)
    return None


async def link(graph: IdentityGraph, verdict: Verdict) -> Resolution:
    """Make the two one person, under rule `match`; the resolution says which merge that was, or what forbids it.

    What a person decides outweighs the vetoes before it. Safe twice, also after a later veto or unmerge.
    UnknownIdentifier if one has never been seen: a verdict makes no persons.
    """
    view = await _known(graph, verdict)
    if verdict.is_a_persons:
        await Unions(view).lift(verdict.first, verdict.other, verdict.at)
    (resolution,) = await graph.resolve([verdict.sighting()])
    return resolution


async def forbid(graph: IdentityGraph, verdict: Verdict) -> bool:
    """Keep the two apart, whatever is seen later of them or of whoever they are one with by then.

    Only a person's later verdict takes that back.

    False if they are one person already: a veto splits nobody, an unmerge does. Safe twice, and to be stopped
    anywhere and begun again; only when it has returned True do the two stay apart.
    """
    view = await _known(graph, verdict)
    await graph.store.add_links([link for _, link in verdict.sighting().links()])
    unions = Unions(view)
    for identifier, veto in zip((verdict.first, verdict.other), verdict.veto, strict=True):
        await unions.veto(identifier, veto)
    unions = Unions(await _known(graph, verdict))  # what was read before the vetoes stood proves nothing
    one, two = await unions.settled(verdict.first), await unions.settled(verdict.other)
    return one.id != two.id


async def _known(graph: IdentityGraph, verdict: Verdict) -> View:
    view = View(graph.store, PointerCache(0))
    await view.load((verdict.first, verdict.other))
    if view.pointer(verdict.first) is None or view.pointer(verdict.other) is None:
        raise UnknownIdentifier("the graph has never seen an identifier of this verdict")
    return view
