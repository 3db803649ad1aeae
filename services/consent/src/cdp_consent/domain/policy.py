"""A policy, compiled: which purposes there are, how senders call them, and what holds where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from cdp_contracts.definitions_v1 import PolicyDefined, PurposeRule
from cdp_contracts.events_v1 import Purpose

from cdp_consent.domain.places import DEFAULT, STRICTEST, place_among, places_of

Rules: TypeAlias = Mapping[Purpose, PurposeRule]

CLOSED: Final = PurposeRule(default="denied", gpc_denies=True)
MAIN: Final = "default"
KEPT_VERSIONS: Final = 4


class PolicyError(ValueError):
    """A policy that contradicts itself. The message names the field and the rule."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a tenant asks its people."""

    tenant: str
    name: str
    version: int
    effective_at: datetime | None
    requires: tuple[Purpose, ...]
    purposes: tuple[Purpose, ...]
    rules: Mapping[str, Rules]
    vocabulary: Mapping[str, Purpose]

    def place(self, code: str | None) -> str:
        """The key of `rules` that holds for a jurisdiction code."""
        return place_among(code, self.rules.keys() - {STRICTEST})

    def translate(self, choices: Mapping[str, bool]) -> dict[Purpose, bool]:
        """A sender's choices in our purposes; unknown names are left out, and one no among several is a no."""
        translated: dict[Purpose, bool] = {}
        for name, allowed in choices.items():
            purpose = self.vocabulary.get(bare(name))
            if purpose is not None:
                translated[purpose] = allowed and translated.get(purpose, True)
        return translated

    def strictly(self) -> Policy:
        """The same policy where every place is an unknown one."""
        return replace(self, rules={STRICTEST: self.rules[STRICTEST]})


def bare(name: str) -> str:
    """A name as names are compared."""
    return name.strip().casefold()


def compile_policy(defined: PolicyDefined) -> Policy:
    """The policy of a definition; PolicyError if it contradicts itself.

    What a jurisdiction leaves open is filled from `strictest`, and what that leaves open is closed.
    """
    purposes = _purposes(defined)
    rules = {
        _place(name): {p: stated.get(p) or defined.strictest.get(p) or CLOSED for p in purposes}
        for name, stated in {**defined.jurisdictions, STRICTEST: defined.strictest}.items()
    }
    if len(rules) <= len(defined.jurisdictions):
        raise PolicyError("jurisdictions: two of them name the same place")
    return Policy(
        tenant=defined.tenant,
        name=defined.name,
        version=defined.version,
        effective_at=defined.effective_at,
        requires=defined.requires,
        purposes=purposes,
        rules=rules,
        vocabulary=_vocabulary(defined, purposes),
    )


def _purposes(defined: PolicyDefined) -> tuple[Purpose, ...]:
    ruled = {p for stated in (defined.strictest, *defined.jurisdictions.values()) for p in stated}
    for purpose in defined.requires:
        if purpose not in ruled:
            raise PolicyError(f"requires: no jurisdiction, nor `strictest`, has a rule for {purpose!r}")
    for category, purpose in defined.categories.items():
        if purpose not in ruled:
            raise PolicyError(f"categories.{category}: no jurisdiction, nor `strictest`, has {purpose!r}")
    return tuple(sorted(ruled))


def _place(name: str) -> str:
    if name in (DEFAULT, STRICTEST):
        return name
    places = places_of(name)
    if not places:
        raise PolicyError(f"jurisdictions.{name}: not an ISO 3166 code, EU, EEA or default")
    return places[0]


def _vocabulary(defined: PolicyDefined, purposes: tuple[Purpose, ...]) -> dict[str, Purpose]:
    vocabulary: dict[str, Purpose] = {}
    for name, purpose in [*((p, p) for p in purposes), *defined.categories.items()]:
        if vocabulary.setdefault(bare(name), purpose) != purpose:
            raise PolicyError(f"categories.{name}: also stands for {vocabulary[bare(name)]!r}, whatever its case")
    return vocabulary


class PolicyBook:
    """The policies of every tenant. A later one replaces an earlier one from its `effective_at` on.

    What was in force before is known only as far as this process has read it: an event from before
    `effective_at` with no earlier policy at hand is judged as if its place were unknown.
    """

    def __init__(self) -> None:
        self._versions: dict[str, dict[str, tuple[Policy, ...]]] = {}

    def learn(self, key: str, policy: Policy | None) -> None:
        """Take in what now stands under a key `<tenant>/<name>`; None: it was removed."""
        tenant, _, name = key.partition("/")
        named = self._versions.setdefault(tenant, {})
        if policy is None:
            named.pop(name, None)
            return
        before = named.get(name, ()) if policy.effective_at else ()
        named[name] = (policy, *before)[:KEPT_VERSIONS]

    def in_force(self, tenant: str, received_at: datetime) -> Policy | None:
        """The tenant's policy for an event: the one named `default`, else the only one. None: there is none."""
        named = self._versions.get(tenant, {})
        versions = named.get(MAIN) or (next(iter(named.values())) if len(named) == 1 else ())
        for policy in versions:
            if policy.effective_at is None or policy.effective_at <= received_at:
                return policy
        return versions[0].strictly() if versions else None
