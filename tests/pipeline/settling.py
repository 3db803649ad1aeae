"""Endings that can be compared: without what tells how often something was tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cdp_identity.domain.entities import Entity


def settled(documents: dict[str, Any]) -> dict[str, Any]:
    """Records without what tells how often, not what: revisions of the document and notes for redeliveries."""
    passing = {"rev", "recent", "told", "fired", "untold"}
    return {i: without(document, passing) for i, document in documents.items()}


def without(document: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """A document without these fields, nor those of what was computed."""
    kept = {name: value for name, value in document.items() if name not in names}
    if isinstance(kept.get("computed"), dict):
        kept["computed"] = without(kept["computed"], names)
    return kept


def shape(entity: Entity) -> Entity:
    """A person of the graph without what tells how often: its size may count an attempt that was broken off."""
    return replace(entity, ver=0, size=0)
