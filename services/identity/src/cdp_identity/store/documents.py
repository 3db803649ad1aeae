"""Pointers, entities, links and refusals as they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from cdp_runtime.mongo import Document

from cdp_identity.domain.entities import Away, Claims, Entity, Link, Merge, Refusal
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.marks import Mark
from cdp_identity.domain.rules import Bounds, Limit
from cdp_identity.domain.splitting import Split
from cdp_identity.store.ports import Pointer

EARLIER_CLAIMS: Final = ("user_id", "email")


def pointer_document(pointer: Pointer, pepper: str) -> Document:
    """A pointer as it is stored; `pepper` tells under which its pseudonym was made."""
    return {
        "pepper": pepper,
        "_id": pointer.identifier.pseudonym,
        "tenant": pointer.tenant,
        "kind": pointer.identifier.kind,
        "entity": str(pointer.entity),
    }


def link_document(link: Link) -> Document:
    """A link as it is stored."""
    return {
        "tenant": link.tenant,
        "event": str(link.event),
        "rule": link.rule,
        "first": link.first,
        "other": link.other,
        "source": link.source,
        "seen_at": link.seen_at,
        "rules": link.rules,
        "by": link.by,
        **({"reverted_by": link.reverted_by} if link.reverted_by else {}),
    }


def link_of(document: Document) -> Link:
    """The link in a document."""
    return Link(
        tenant=document["tenant"],
        event=UUID(document["event"]),
        rule=document["rule"],
        first=document["first"],
        other=document["other"],
        source=document["source"],
        seen_at=document["seen_at"],
        rules=document.get("rules", 1),
        by=document.get("by", ""),
        reverted_by=document.get("reverted_by", ""),
    )


def refusal_document(refusal: Refusal) -> Document:
    """A refusal as it is stored."""
    return {
        "_id": refusal.key,
        "tenant": refusal.link.tenant,
        "profile_id": str(refusal.profile_id),
        "other": str(refusal.other),
        "limit": refusal.limit,
        "link": link_document(refusal.link),
    }


def refusal_of(document: Document) -> Refusal:
    """The refusal in a document."""
    return Refusal(
        UUID(document["profile_id"]), UUID(document["other"]), document["limit"], link_of(document["link"])
    )


def entity_document(entity: Entity) -> Document:
    """An entity as it is stored. `uniq` is for workers of the release before, which know no other claims."""
    uniq: dict[str, list[str]] = {}
    for claim in sorted(entity.claims):
        if claim.kind in EARLIER_CLAIMS:
            uniq.setdefault(claim.kind, []).append(claim.pseudonym)
    return {
        "_id": str(entity.id),
        "tenant": entity.tenant,
        "born": entity.born,
        "ver": entity.ver,
        "state": entity.state,
        "into": str(entity.into) if entity.into else None,
        "link": link_document(entity.link) if entity.link else None,
        "bounds": bounds_document(entity.bounds) if entity.bounds else None,
        "uniq": uniq,
        "claims": [[i.kind, i.pseudonym, at] for i, at in sorted(entity.claims.items())],
        "marks": [
            {
                "identifier": pseudonym,
                "state": mark.state,
                "since": mark.since,
                "owners": list(map(list, mark.owners)),
            }
            for pseudonym, mark in sorted(entity.marks.items())
        ],
        "vetoes": sorted(entity.vetoes),
        "size": entity.size,
        "absorbed": merge_documents(entity.absorbed),
        "past": merge_documents(entity.past),
        "epoch": entity.epoch,
        "held": entity.held,
        "parted": [[name, away.epoch, str(away.entity)] for name, away in sorted(entity.parted.items())],
        "splits": list(entity.splits),
    }


def entity_of(document: Document) -> Entity:
    """The entity in a document."""
    return Entity(
        id=UUID(document["_id"]),
        tenant=document["tenant"],
        born=document["born"],
        ver=document["ver"],
        state=document["state"],
        into=UUID(document["into"]) if document["into"] else None,
        link=link_of(document["link"]) if document["link"] else None,
        bounds=bounds_of(document["bounds"]) if document.get("bounds") else None,
        claims=claims_of(document),
        marks={
            mark["identifier"]: Mark(
                mark["state"], mark["since"], tuple((at, user) for at, user in mark["owners"])
            )
            for mark in document.get("marks", ())
        },
        vetoes=frozenset(document.get("vetoes", ())),
        size=document["size"],
        absorbed=merges_of(document["absorbed"]),
        past=merges_of(document.get("past", ())),
        epoch=document.get("epoch", 0),
        held=document.get("held", 0),
        parted=parted_of(document),
        splits=tuple(document.get("splits", ())),
    )


def merge_documents(merges: Iterable[Merge]) -> list[Document]:
    """Merges as they are stored."""
    return [
        {"absorbed": str(m.absorbed), "survivor": str(m.survivor), "link": link_document(m.link)} for m in merges
    ]


def merges_of(documents: Iterable[Document]) -> tuple[Merge, ...]:
    """The merges in documents."""
    return tuple(Merge(UUID(m["absorbed"]), UUID(m["survivor"]), link_of(m["link"])) for m in documents)


def parted_of(document: Document) -> dict[str, Away]:
    """Whom an entity let go."""
    return {name: Away(epoch, UUID(to)) for name, epoch, to in document.get("parted", ())}


def split_document(split: Split) -> Document:
    """A split as it is stored."""
    return {
        "_id": split.key,
        "unmerge": str(split.unmerge),
        "tenant": split.tenant,
        "kept": str(split.kept),
        "epoch": split.epoch,
        "partings": [[str(entity), list(group)] for entity, group in split.partings],
    }


def split_of(document: Document) -> Split:
    """The split in a document."""
    return Split(
        key=document["_id"],
        unmerge=UUID(document["unmerge"]),
        tenant=document["tenant"],
        kept=UUID(document["kept"]),
        epoch=document["epoch"],
        partings=tuple((UUID(entity), tuple(group)) for entity, group in document["partings"]),
    )


def claims_of(document: Document) -> Claims:
    """The claims of an entity. What only an earlier release stored, in `uniq`, is as old as the entity."""
    claims: dict[Identifier, int] = {
        Identifier(kind, value): document["born"]
        for kind, held in document.get("uniq", {}).items()
        for value in held
    }
    claims.update((Identifier(kind, value), at) for kind, value, at in document.get("claims", ()))
    return claims


def bounds_document(bounds: Bounds) -> Document:
    """What a union is held against, as it is stored while one is on its way."""
    return {
        "version": bounds.version,
        "limits": [[kind, limit.count, limit.days] for kind, limit in sorted(bounds.limits.items())],
        "others": [bounds.others.count, bounds.others.days],
        "identifiers": bounds.identifiers,
        "merges": bounds.merges,
        "shares": bounds.shares,
    }


def bounds_of(document: dict[str, Any]) -> Bounds:
    """The bounds in a document."""
    return Bounds(
        version=document["version"],
        limits={kind: Limit(count, days) for kind, count, days in document["limits"]},
        others=Limit(*document["others"]),
        identifiers=document["identifiers"],
        merges=document["merges"],
        shares=document["shares"],
    )
