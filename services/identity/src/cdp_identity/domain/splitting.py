"""One person becomes several. What is parted gets entities of its own, which nothing leads to before the split is.

The split itself is one compare-and-set of the entity that keeps its id: see store/partings.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from cdp_contracts.envelope import derived_id

from cdp_identity.domain.entities import KEPT_SPLITS, Away, Entity, claimed, together, veto_of
from cdp_identity.domain.identifiers import Identifier


@dataclass(frozen=True, slots=True)
class Unmerge:
    """Groups of identifiers (pseudonyms) that are to be a person each, no more part of `of`. `at` in epoch ms."""

    id: UUID
    tenant: str
    of: UUID
    groups: tuple[tuple[str, ...], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Split:
    """Who is somebody else since an unmerge, and since which epoch of the one who kept the id.

    It came to pass if that entity has its `key`.
    """

    key: str
    unmerge: UUID
    tenant: str
    kept: UUID
    epoch: int
    partings: tuple[tuple[UUID, tuple[str, ...]], ...]

    @property
    def moved(self) -> Mapping[str, UUID]:
        """The new entity of each identifier that was parted."""
        return {pseudonym: entity for entity, group in self.partings for pseudonym in group}


def key_of(unmerge: UUID, entity: Entity) -> str:
    """What makes it one attempt: the same entity as of the same moment is split the same way."""
    return f"{unmerge}/{entity.id}/{entity.ver}"


def was_split_by(entity: Entity, unmerge: UUID) -> bool:
    """Whether an unmerge has split it, or one that it has absorbed."""
    return any(key.startswith(f"{unmerge}/") for key in entity.splits)


def split(
    entity: Entity, unmerge: Unmerge, groups: Sequence[Sequence[Identifier]], rest: Sequence[Identifier]
) -> tuple[Split, list[Entity]]:
    """What parts these groups of its identifiers from an entity: the split, and all entities as they are after it.

    The first is the one that keeps its id, the others are new. None may ever be one with another of them, until
    somebody lifts that. All keep the vetoes that the one had: against whom each of them was is not known. Claims
    that it does not remember are as old as it is.
    """
    key = key_of(unmerge.id, entity)
    ids = [derived_id(key, "part", number) for number in range(1, len(groups) + 1)]
    done = Split(
        key=key,
        unmerge=unmerge.id,
        tenant=entity.tenant,
        kept=entity.id,
        epoch=entity.epoch + 1,
        partings=tuple((id_, tuple(i.pseudonym for i in group)) for id_, group in zip(ids, groups, strict=True)),
    )
    vetoes = vetoes_between(key, len(groups) + 1, unmerge.at)
    parts = [
        replace(_part(entity, id_, group, unmerge.at), vetoes=entity.vetoes | vetoes[number])
        for number, (id_, group) in enumerate(zip(ids, groups, strict=True), start=1)
    ]
    moved = done.moved
    kept = replace(
        entity,
        ver=entity.ver + 1,
        epoch=done.epoch,
        claims=together(
            {i: at for i, at in entity.claims.items() if i.pseudonym not in moved}, claimed(rest, entity.born)
        ),
        marks={name: mark for name, mark in entity.marks.items() if name not in moved},
        vetoes=entity.vetoes | vetoes[0],
        size=entity.size - len(moved),
        absorbed=(),
        past=entity.merges,
        parted={**entity.parted, **{name: Away(done.epoch, to) for name, to in moved.items()}},
        splits=(*entity.splits, key)[-KEPT_SPLITS:],
    )
    return done, [kept, *parts]


def vetoes_between(key: str, several: int, at: int) -> list[frozenset[str]]:
    """A veto of a moment for each pair of so many."""
    vetoes: list[set[str]] = [set() for _ in range(several)]
    for one, other, veto in _pairs(key, several):
        vetoes[one].add(veto_of(veto, at, "+"))
        vetoes[other].add(veto_of(veto, at, "-"))
    return [frozenset(each) for each in vetoes]


def _pairs(key: str, several: int) -> Iterator[tuple[int, int, UUID]]:
    for one in range(several):
        for other in range(one + 1, several):
            yield one, other, derived_id(key, f"veto/{one}", other)


def _part(entity: Entity, id_: UUID, group: Sequence[Identifier], at: int) -> Entity:
    names = {identifier.pseudonym for identifier in group}
    return Entity(
        id=id_,
        tenant=entity.tenant,
        born=max(at, entity.born + 1),
        epoch=entity.epoch + 1,
        claims=together(
            {i: at for i, at in entity.claims.items() if i.pseudonym in names}, claimed(group, entity.born)
        ),
        marks={name: mark for name, mark in entity.marks.items() if name in names},
        size=len(group),
        past=entity.merges,
    )
