"""What people may ask and say about persons: why are these one, what holds them together, part them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID, uuid4

from cdp_contracts.identities_v1 import UnmergeRequested
from cdp_contracts.matches_v1 import MatchDecided
from cdp_runtime.clock import Clock
from cdp_runtime.pseudonyms import Pseudonymizer

from cdp_identity.domain.evidence import path, side_of
from cdp_identity.domain.identifiers import pseudonyms_of
from cdp_identity.models import About, Both, Explanation, Joined, Joining, Named, Plan, Unmerging, evidence_of
from cdp_identity.store import GraphStore
from cdp_identity.store.portrait import Portrait, Unknown, portrait_of, portrait_of_person

M_contra = TypeVar("M_contra", contravariant=True)


class Log(Protocol[M_contra]):
    """Where requests or verdicts are written."""

    async def write(self, message: M_contra) -> None:
        """Return when the broker has acknowledged it."""
        ...

    async def ping(self) -> None:
        """Raise if the broker does not answer."""
        ...


class Refused(Exception):  # noqa: N818
    """It cannot be done, and why: a code for programs, a message for people without personal data."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class Stewards:
    """Answers from the graph. Each raises Refused, and whatever a store or the broker raises that is away."""

    store: GraphStore
    pseudonyms: Pseudonymizer
    requests: Log[UnmergeRequested]
    verdicts: Log[MatchDecided]
    clock: Clock

    async def graph(self, about: About) -> Portrait:
        """The person of an identifier."""
        return await self._portrait(about.tenant, await self._name(about.tenant, about.identifier))

    async def explain(self, both: Both) -> Explanation:
        """Why two identifiers are one person, or that they are not."""
        one, other = await self._name(both.tenant, both.one), await self._name(both.tenant, both.other)
        portrait = await self._portrait(both.tenant, one)
        second = portrait if other in portrait.names else await self._portrait(both.tenant, other)
        same = portrait.entity.id == second.entity.id
        between = [x for x in portrait.links if x.reverted_by and {x.first, x.other} == {one, other}]
        return Explanation(
            same=same,
            profile_ids=(portrait.entity.id, second.entity.id),
            path=tuple(map(evidence_of, (path(portrait.evidence, one, other) or ()) if same else ())),
            taken_back=tuple(map(evidence_of, between)),
        )

    async def unmerge(self, wanted: Unmerging) -> Plan:
        """Ask for it to be carried out, unless that is not possible; answered when the broker has it."""
        plan = await self._plan(wanted)
        if wanted.dry_run:
            return plan
        now, id_ = self.clock.now(), uuid4()
        await self.requests.write(
            UnmergeRequested(
                tenant=wanted.tenant, id=id_, message_id=f"unmerge-{id_}", occurred_at=now, received_at=now,
                profile_id=plan.profile_id, groups=plan.groups, by=wanted.by, reason=wanted.reason,
            )
        )  # fmt: skip
        return plan.model_copy(update={"request": id_})

    async def join(self, both: Joining) -> Joined:
        """Say that two identifiers are one person's; it outweighs what was said before, and no limit."""
        one, other = await self._name(both.tenant, both.one), await self._name(both.tenant, both.other)
        persons = [(await self._portrait(both.tenant, name)).entity.id for name in (one, other)]
        now, id_ = self.clock.now(), uuid4()
        await self.verdicts.write(
            MatchDecided(
                tenant=both.tenant, id=id_, message_id=f"verdict-{id_}", occurred_at=now, received_at=now,
                profile_id=persons[0], other=persons[1], identifiers=(one, other), verdict="same", by=both.by,
            )
        )  # fmt: skip
        return Joined(profile_ids=(persons[0], persons[1]), request=id_)

    async def _plan(self, wanted: Unmerging) -> Plan:
        if wanted.absorbed:
            portrait = await self._person(wanted.tenant, wanted.absorbed)
            groups = [joined_by_merge(portrait, wanted.absorbed)]
        elif wanted.link:
            one, other = [await self._name(wanted.tenant, named) for named in wanted.link]
            portrait = await self._portrait(wanted.tenant, one)
            groups = [joined_by_link(portrait, one, other)]
        else:
            named = [[await self._name(wanted.tenant, each) for each in group] for group in wanted.groups]
            groups = [list(dict.fromkeys(group)) for group in named]
            portrait = await self._portrait(wanted.tenant, groups[0][0])
        check_groups(portrait, groups)
        parted = {name for group in groups for name in group}
        keeps = tuple(i.pseudonym for i in portrait.members if i.pseudonym not in parted)
        return Plan(profile_id=portrait.entity.id, keeps=keeps, groups=tuple(map(tuple, groups)))

    async def _name(self, tenant: str, named: Named) -> str:
        names = (named.pseudonym,) if named.pseudonym else self._names(tenant, named)
        known = await self.store.pointers(names) if names else {}
        for name in names:
            if name in known:
                return name
        raise Refused(404, "unknown-identifier", "the graph has never seen this identifier")

    def _names(self, tenant: str, named: Named) -> tuple[str, ...]:
        return pseudonyms_of(tenant, named.kind, named.value, self.pseudonyms)

    async def _portrait(self, tenant: str, name: str) -> Portrait:
        try:
            return await portrait_of(self.store, tenant, name)
        except Unknown:
            raise Refused(404, "unknown-identifier", "the graph has never seen this identifier") from None

    async def _person(self, tenant: str, person: UUID) -> Portrait:
        try:
            return await portrait_of_person(self.store, tenant, person)
        except Unknown:
            raise Refused(404, "unknown-profile", "the graph has never seen this profile") from None


def joined_by_merge(portrait: Portrait, absorbed: UUID) -> list[str]:
    """Whoever a merge has brought to a person. Refused if it brought nobody, or more holds them by now."""
    merge = next((merge for merge in portrait.entity.merges if merge.absorbed == absorbed), None)
    if merge is None:
        raise Refused(404, "no-such-merge", "this profile is part of no other")
    return joined_by_link(portrait, merge.link.first, merge.link.other)


def joined_by_link(portrait: Portrait, one: str, other: str) -> list[str]:
    """The younger side of what a pair of identifiers holds together. Refused if they don't, or more holds it."""
    held = portrait.evidence
    if not any({link.first, link.other} == {one, other} for link in held):
        raise Refused(404, "no-such-link", "no evidence that counts links these two directly")
    oldest = portrait.members[0].pseudonym
    side = side_of(held, one, other)
    if other in side:
        raise Refused(409, "held-otherwise", "more evidence than this link holds them together: name the groups")
    if oldest in side:
        side = side_of(held, other, one)
    return [identifier.pseudonym for identifier in portrait.members if identifier.pseudonym in side]


def check_groups(portrait: Portrait, groups: Sequence[Sequence[str]]) -> None:
    """Refused unless the groups are different identifiers of the person, and one at least stays."""
    named = [name for group in groups for name in group]
    if len(set(named)) < len(named):
        raise Refused(422, "invalid", "groups: an identifier is in two of them")
    if not set(named).issubset(portrait.names):
        raise Refused(409, "several-profiles", "groups: not all of these are of one profile")
    if portrait.names == set(named):
        raise Refused(409, "nothing-stays", "groups: one identifier at least must stay with the profile")
