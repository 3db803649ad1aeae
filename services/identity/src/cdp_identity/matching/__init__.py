"""Who may be one person though no identifier says so? Pure, record at a time, with shipped weights.

`record_of` normalizes what a source sent, `MatchIndex.add` finds the records that may be of the same
person and says how likely and why. Read `index.py` first, then `judge.py` and `weights.py`.
"""

from __future__ import annotations

from cdp_identity.matching.index import MatchIndex
from cdp_identity.matching.judge import Band, Judgement
from cdp_identity.matching.record import MatchRecord, record_of
from cdp_identity.matching.store import MatchStore, MemoryMatchStore

__all__ = ["Band", "Judgement", "MatchIndex", "MatchRecord", "MatchStore", "MemoryMatchStore", "record_of"]
