"""The proof of what was chosen: per id, an append-only chain in which every entry seals the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from cdp_contracts.events_v1 import Purpose

from cdp_consent.domain.choices import Choices, Signal, Standing

GENESIS: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """What stood for an id after a choice, and where the choice came from. No raw identifier is in it."""

    subject: str
    tenant: str
    seq: int
    states: Mapping[Purpose, Standing]
    channel: str
    policy: str
    policy_version: int
    jurisdiction: str
    message_id: str
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime
    prev_hash: str
    hash: str = ""

    def sealed(self) -> Entry:
        """The entry with its hash."""
        return replace(self, hash=hash_of(self))


SEALED: Final = tuple(f.name for f in fields(Entry) if f.name not in ("prev_hash", "hash"))


def canonical(entry: Entry) -> bytes:
    """All fields but the two hashes as JSON: sorted keys, no spaces, ASCII, times in UTC to the microsecond."""
    content = {name: getattr(entry, name) for name in SEALED}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=_instant).encode()


def hash_of(entry: Entry) -> str:
    """SHA-256 (hex) of the previous hash (32 bytes), then the canonical form."""
    return sha256(bytes.fromhex(entry.prev_hash) + canonical(entry)).hexdigest()


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} has no canonical form")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Under what a choice was read, and when."""

    channel: str
    policy: str
    policy_version: int
    jurisdiction: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known of one id: what stands, and the head of the chain that proves it."""

    id: str
    tenant: str = ""
    choices: Choices = field(default_factory=Choices)
    seq: int = 0
    head: str = GENESIS
    appended: tuple[Entry, ...] = ()
    """The entries since it was loaded."""

    def heard(self, tenant: str, signal: Signal, provenance: Provenance) -> Subject:
        """The subject after a signal; the same object if that changes nothing.

        Every choice that changes what stands is an entry, and so is every consent event that stands.
        """
        choices = self.choices.heard(signal)
        if choices is self.choices:
            return self
        states = choices.snapshot()
        if not signal.deliberate and states == self.choices.snapshot():
            return replace(self, tenant=tenant, choices=choices)
        entry = Entry(
            subject=self.id,
            tenant=tenant,
            seq=self.seq + 1,
            states=states,
            channel=provenance.channel,
            policy=provenance.policy,
            policy_version=provenance.policy_version,
            jurisdiction=provenance.jurisdiction,
            message_id=signal.message_id,
            occurred_at=signal.moment.occurred_at,
            received_at=signal.moment.received_at,
            recorded_at=provenance.recorded_at,
            prev_hash=self.head,
        ).sealed()
        return Subject(self.id, tenant, choices, entry.seq, entry.hash, (*self.appended, entry))


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold, and why: a code."""

    seq: int
    rule: str


def verify(entries: Iterable[Entry], subject: Subject) -> Break | None:
    """The first place where a subject's chain is not what was written; None if it is whole.

    Finds edited, dropped, inserted and reordered entries, entries of another subject, a cut-off end, and a
    state that is not what its last entry says. Whoever can rewrite the chain and the state together is not found.
    """
    head, seq, states = GENESIS, 0, dict[Purpose, Standing]()
    for entry in entries:
        seq += 1
        if rule := _flaw(entry, subject.id, seq, head):
            return Break(seq, rule)
        head, states = entry.hash, dict(entry.states)
    if (seq, head) != (subject.seq, subject.head):
        return Break(seq + 1, "truncated" if seq < subject.seq else "head-differs")
    return None if states == subject.choices.snapshot() else Break(seq, "state-differs")


def _flaw(entry: Entry, subject: str, seq: int, head: str) -> str | None:
    if entry.subject != subject:
        return "foreign"
    if entry.seq != seq:
        return "missing-or-reordered"
    if entry.prev_hash != head:
        return "unchained"
    return None if hash_of(entry) == entry.hash else "edited"
