"""Entities, the persons of the graph, and every state they can take. Each change raises `ver` by one.

Within one `epoch` an entity only ever grows until it is merged: what a link broke once it breaks until the next.
The union protocol relies on that. What takes something away (a split, a veto that is lifted) begins another epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

from cdp_identity.domain.identifiers import Identifier, Rule
from cdp_identity.domain.marks import Mark, joined
from cdp_identity.domain.rules import SUBJECT, USER, Bounds

State: TypeAlias = Literal["active", "merging", "merged"]
Claims: TypeAlias = Mapping[Identifier, int]

KEPT_SPLITS: Final = 32
KEPT_CLAIMS: Final = 51  # a kind: one more than the highest limit that a rule may set


def pair_of(first: str, other: str) -> str:
    """The key of two identifiers seen together."""
    return f"{first}.{other}"


@dataclass(frozen=True, slots=True)
class Link:
    """Why two identifiers are taken for one person, and the event that said so. `seen_at` in epoch ms.

    `rules` is the version of the rules that it was decided by; `by` who decided a match; `reverted_by` the unmerge
    since which it counts no more.
    """

    tenant: str
    event: UUID
    rule: Rule
    first: str
    other: str
    source: str
    seen_at: int
    rules: int = 1
    by: str = ""
    reverted_by: str = ""

    @property
    def pair(self) -> str:
        """The two identifiers as one key."""
        return pair_of(self.first, self.other)

    @property
    def key(self) -> str:
        """What makes it one piece of evidence: a pair that was refused may be linked by another event."""
        return f"{self.pair}/{self.event}"


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge that no one can take back: the survivor holds it."""

    absorbed: UUID
    survivor: UUID
    link: Link


@dataclass(frozen=True, slots=True)
class Refusal:
    """Two entities that share an event but stay apart: the limit that one entity would break."""

    profile_id: UUID
    other: UUID
    limit: str
    link: Link

    @property
    def key(self) -> str:
        """What is told once: a pair and a limit."""
        return refusal_key(self.link, self.limit)


def refusal_key(link: Link, limit: str) -> str:
    """The key of what is told once."""
    return f"{link.pair}/{limit}"


class Away(NamedTuple):
    """Whose an identifier is that was parted from a person, and the epoch that began with it."""

    epoch: int
    entity: UUID


@dataclass(frozen=True, slots=True)
class Entity:
    """A person. `claims` are its identifiers and when (epoch ms) it took each, the newest of each kind; `size`
    counts all, and never too few. `marks` are those of its identifiers that are shared or blocked; `vetoes` say
    with whom it must never be one.

    `absorbed` holds every merge below it, its own and those of the entities it absorbed; `past` those from before
    it was split, which count for no limit. `bounds` are what it was frozen by and `held` the epoch of the other:
    whoever finishes the union decides by them. `parted` leads to whom it let go, `splits` names the newest splits.
    """

    id: UUID
    tenant: str
    born: int
    ver: int = 1
    state: State = "active"
    into: UUID | None = None
    link: Link | None = None
    bounds: Bounds | None = None
    epoch: int = 0
    held: int = 0
    claims: Claims = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    vetoes: frozenset[str] = frozenset()
    size: int = 0
    absorbed: tuple[Merge, ...] = ()
    past: tuple[Merge, ...] = ()
    parted: Mapping[str, Away] = field(default_factory=dict)
    splits: tuple[str, ...] = ()

    @property
    def age(self) -> tuple[int, UUID]:
        """The one fixed order in which entities survive: the oldest first. It makes cycles impossible."""
        return self.born, self.id

    @property
    def users(self) -> frozenset[Identifier]:
        """Its user_id, as a set of none or one."""
        return frozenset(identifier for identifier in self.claims if identifier.kind == USER)

    def has_absorbed(self, ids: Iterable[UUID]) -> bool:
        """Whether all of these became part of it."""
        return {merge.absorbed for merge in self.merges}.issuperset(ids)

    @property
    def merges(self) -> tuple[Merge, ...]:
        """All that it has gone through."""
        return self.past + self.absorbed if self.past else self.absorbed

    def merges_by(self, event: UUID) -> tuple[Merge, ...]:
        """The merges that an event brought about."""
        return tuple(merge for merge in self.merges if merge.link.event == event)

    def bars(self, other: Entity, link: Link, bounds: Bounds) -> tuple[str, ...]:
        """All that forbids a link to make the two one, the first to be told first; empty if they may merge."""
        merges = len(self.absorbed) + len(other.absorbed) + 1
        broken = broken_limits(
            together(self.claims, other.claims), self.size + other.size, merges, bounds, link.seen_at
        )
        marks = [m for e in (self, other) if e.marks for i in (link.first, link.other) if (m := e.marks.get(i))]
        return (
            *broken,
            *(("do-not-link",) if any(opposite(veto) in other.vetoes for veto in self.vetoes) else ()),
            *(("blocked",) if any(mark.state == "blocked" for mark in marks) else ()),
            *(("shared-device",) if bounds.shares and any(mark.state == "shared" for mark in marks) else ()),
            *(("source",) if bounds.only_attaches else ()),
        )

    def bars_new(self, identifiers: Collection[Identifier], bounds: Bounds, at: int, via: str = "") -> bool:
        """Whether it must not have these added, which came with an identifier of its own (`via`)."""
        mark = self.marks.get(via)
        if mark and (mark.state == "blocked" or bounds.shares):
            return True
        claims = together(self.claims, claimed(identifiers, at))
        return bool(broken_limits(claims, self.size + len(identifiers), len(self.absorbed), bounds, at))

    def claiming(self, identifiers: Collection[Identifier], at: int) -> Entity:
        """It, with these identifiers added. They are to point to it only after this is stored."""
        claims = together(self.claims, claimed(identifiers, at))
        return replace(self, ver=self.ver + 1, claims=claims, size=self.size + len(identifiers))

    def marked(self, pseudonym: str, mark: Mark) -> Entity:
        """It, with one of its identifiers marked."""
        return replace(self, ver=self.ver + 1, marks=joined(self.marks, {pseudonym: mark}))

    def vetoing(self, veto: str) -> Entity:
        """It, never to be one with whoever has the opposite veto."""
        return replace(self, ver=self.ver + 1, vetoes=self.vetoes | {veto})

    def lifting(self, vetoes: Collection[str]) -> Entity:
        """It, without these vetoes."""
        return replace(self, ver=self.ver + 1, epoch=self.epoch + 1, vetoes=self.vetoes.difference(vetoes))

    def frozen(self, winner: Entity, link: Link, bounds: Bounds) -> Entity:
        """It, on its way into another as that is in this epoch: nothing can be added to it any more."""
        return replace(
            self,
            ver=self.ver + 1,
            state="merging",
            into=winner.id,
            link=link,
            bounds=bounds,
            held=winner.epoch,
        )

    def thawed(self) -> Entity:
        """It, when the other has meanwhile become one that it must not be part of."""
        return replace(self, ver=self.ver + 1, state="active", into=None, link=None, bounds=None, held=0)

    def absorbing(self, loser: Entity) -> Entity:
        """It, with all that a frozen entity holds. From here on the merge is a fact."""
        if loser.link is None:
            raise ValueError("only a frozen entity can be absorbed")
        merge = Merge(loser.id, self.id, loser.link)
        return replace(
            self,
            ver=self.ver + 1,
            claims=together(self.claims, loser.claims),
            marks=joined(self.marks, loser.marks),
            vetoes=self.vetoes | loser.vetoes,
            size=self.size + loser.size,
            absorbed=(*self.absorbed, *loser.absorbed, merge),
            past=tuple(dict.fromkeys((*self.past, *loser.past))),
            splits=tuple(dict.fromkeys((*self.splits, *loser.splits)))[-KEPT_SPLITS:],
            epoch=max(self.epoch, loser.epoch),
        )

    def merged(self, into: UUID) -> Entity:
        """It, as a redirect, which stays for ever."""
        return replace(self, ver=self.ver + 1, state="merged", into=into, bounds=None, held=0)


def veto_of(id_: UUID, at: int, side: Literal["+", "-"]) -> str:
    """One side of a veto that was given at a moment (epoch ms)."""
    return f"{at}:{id_}{side}"


def given_at(veto: str) -> int:
    """When a veto was given, epoch ms; 0 for one from before that was noted."""
    at, colon, _ = veto.partition(":")
    return int(at) if colon else 0


def opposite(veto: str) -> str:
    """The other side of a veto."""
    return veto[:-1] + ("-" if veto.endswith("+") else "+")


def claimed(identifiers: Iterable[Identifier], at: int) -> Claims:
    """These, as claims of that moment. A subject is nobody's claim: it stands for one device alone."""
    return {identifier: at for identifier in identifiers if identifier.kind != SUBJECT}


def together(claims: Claims, more: Claims) -> Claims:
    """Both, each identifier with its later time; of each kind the newest, one more than any limit allows."""
    if not more:
        return claims
    all_ = dict(claims)
    for identifier, at in more.items():
        all_[identifier] = max(at, all_.get(identifier, at))
    if len(all_) <= KEPT_CLAIMS:
        return all_
    kept: Counter[str] = Counter()
    newest: dict[Identifier, int] = {}
    for identifier in sorted(all_, key=lambda i: (all_[i], i), reverse=True):
        kept[identifier.kind] += 1
        if kept[identifier.kind] <= KEPT_CLAIMS:
            newest[identifier] = all_[identifier]
    return newest


def broken_limits(claims: Claims, size: int, merges: int, bounds: Bounds, at: int) -> tuple[str, ...]:
    """The names of the limits that a person would break as of a moment, by kind, then the caps.

    What a claim after that moment is counted too: a late event must not have what a punctual one had not.
    """
    held = Counter(i.kind for i, since in claims.items() if since > bounds.limit(i.kind).since(at))
    over = [kind for kind, number in held.items() if number > bounds.limit(kind).count]
    broken = [bounds.limit(kind).called(kind) for kind in sorted(over, key=lambda kind: (kind != USER, kind))]
    if size > bounds.identifiers:
        broken.append(f"identifiers:{bounds.identifiers}")
    if merges > bounds.merges:
        broken.append(f"merges:{bounds.merges}")
    return tuple(broken)
