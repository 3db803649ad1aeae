"""The identity graph: its port, its adapters and the protocol that keeps it right."""

from cdp_identity.store.graph import IdentityGraph
from cdp_identity.store.memory import MemoryGraphStore
from cdp_identity.store.ports import GraphStore, Pointer

__all__ = ["GraphStore", "IdentityGraph", "MemoryGraphStore", "Pointer"]
