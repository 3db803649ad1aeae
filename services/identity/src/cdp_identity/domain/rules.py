"""The rules by which identifiers make persons: what holds when nobody defined any, and which are in force when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

from cdp_contracts.definitions_v1 import IdentityRulesDefined, SharedDevices
from pydantic import JsonValue

from cdp_identity.domain.placeholders import bare

Kind: TypeAlias = str

DAY_MS: Final = 86_400_000
USER: Final = "user_id"
DEVICES: Final = frozenset({"cross_domain_id", "anonymous_id", "device_id", "advertising_id", "cookie"})
SUBJECT: Final = "subject"
CUSTOM: Final = 4  # where kinds of the sender's own stand in the order of priority
LAST: Final = 10_000


class RulesError(ValueError):
    """Rules that contradict themselves. The message names the field and the rule."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many identifiers of a kind a person may have, within so many days or ever."""

    count: int
    days: int | None = None

    def called(self, kind: Kind) -> str:
        """Its name on a refusal, such as user_id:1 or email:5/365d."""
        return f"{kind}:{self.count}/{self.days}d" if self.days else f"{kind}:{self.count}"

    def since(self, at: int) -> int:
        """The moment (epoch ms) after which a claim counts, as of another."""
        return at - self.days * DAY_MS if self.days else -1


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a union is held against. It is noted on whoever freezes, so that all who help decide alike."""

    version: int
    limits: Mapping[Kind, Limit]
    others: Limit
    identifiers: int
    merges: int
    shares: bool
    only_attaches: bool = False

    def limit(self, kind: Kind) -> Limit:
        """The limit of a kind, named or not."""
        return self.limits.get(kind, self.others)


@dataclass(frozen=True, slots=True)
class Trust:
    """What a source may do: which kinds it may assert (None: all), and whether it may merge known persons."""

    asserts: frozenset[Kind] | None = None
    merges: bool = True
    region: str | None = None

    def may_assert(self, kind: Kind) -> bool:
        """Whether an identifier of this kind counts when this source says it."""
        return self.asserts is None or kind in self.asserts


@dataclass(frozen=True, slots=True)
class Rules:
    """All that a tenant's definition says, ready for use."""

    bounds: Bounds
    priorities: Mapping[Kind, int]
    blocked: Mapping[Kind, frozenset[str]] = field(default_factory=dict)
    sources: Mapping[str, Trust] = field(default_factory=dict)
    shared_devices: SharedDevices = "per_device"
    per_event: int = 20
    fan_in: int = 100
    effective_at: datetime | None = None

    def priority(self, kind: Kind) -> tuple[int, str]:
        """What sorts kinds: the strongest first."""
        return self.priorities.get(kind, CUSTOM if kind.startswith("external.") else LAST), kind

    def trust(self, source: str) -> Trust:
        """What a source may do."""
        return self.sources.get(source, TRUSTED)

    def bounds_for(self, source: str) -> Bounds:
        """What a union is held against that this source asks for."""
        return self.bounds if self.trust(source).merges else replace(self.bounds, only_attaches=True)

    def blocks(self, kind: Kind, raw: JsonValue, value: str) -> bool:
        """Whether the tenant's list says that this value stands for nobody."""
        listed = self.blocked.get(kind)
        return listed is not None and (value in listed or (isinstance(raw, str) and bare(raw) in listed))


TRUSTED: Final = Trust()


def compile_rules(defined: IdentityRulesDefined) -> Rules:
    """The rules of a definition, with what ships filled in; RulesError if they contradict themselves."""
    limits = dict(SHIPPED_LIMITS)
    priorities = dict(SHIPPED_PRIORITIES)
    blocked: dict[Kind, frozenset[str]] = {}
    for kind, rule in defined.kinds.items():
        if rule.limit and kind == USER and (rule.limit.count, rule.limit.days) != (1, None):
            raise RulesError(f"kinds.{kind}.limit: a person has one user_id, ever")
        if rule.limit:
            limits[kind] = Limit(rule.limit.count, rule.limit.days)
        if rule.priority is not None:
            priorities[kind] = rule.priority
        blocked[kind] = frozenset(map(bare, rule.blocked))
    return Rules(
        bounds=Bounds(
            version=defined.version,
            limits=MappingProxyType(limits),
            others=OTHERS,
            identifiers=defined.identifiers_per_person,
            merges=defined.merges_per_person,
            shares=defined.shared_devices != "first_owner",
        ),
        priorities=MappingProxyType(priorities),
        blocked=MappingProxyType(blocked),
        sources=MappingProxyType({
            name: Trust(None if t.asserts is None else frozenset(t.asserts), t.merges, t.region)
            for name, t in defined.sources.items()
        }),
        shared_devices=defined.shared_devices,
        per_event=defined.identifiers_per_event,
        fan_in=defined.fan_in,
        effective_at=defined.effective_at,
    )  # fmt: skip


YEAR: Final = 365
OTHERS: Final = Limit(5, YEAR)
SHIPPED_LIMITS: Final[Mapping[Kind, Limit]] = {
    USER: Limit(1), "email": Limit(5, YEAR), "phone": Limit(5, YEAR), "anonymous_id": Limit(20, 30),
    "cookie": Limit(20, 30), "cross_domain_id": Limit(20, 30), "device_id": Limit(10, YEAR),
    "advertising_id": Limit(10, YEAR),
}  # fmt: skip
SHIPPED_PRIORITIES: Final[Mapping[Kind, int]] = {
    USER: 1, "email": 2, "phone": 3, "cross_domain_id": 5, "anonymous_id": 6, "device_id": 7,
    "advertising_id": 8, "cookie": 9,
}  # fmt: skip
SHIPPED: Final = compile_rules(IdentityRulesDefined(tenant="shipped", name="default", version=1))


class RuleBook:
    """The rules of every tenant: `default`, or the only ones. A later version replaces an earlier from its
    `effective_at` on; an event from before the oldest one known is held against that one."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, tuple[Rules, ...]]] = {}

    def learn(self, key: str, rules: Rules | None) -> None:
        """Take in what now stands under a key `<tenant>/<name>`; None: it was removed."""
        tenant, _, name = key.partition("/")
        named = self._known.setdefault(tenant, {})
        if rules is None:
            named.pop(name, None)
            return
        before = named.get(name, ()) if rules.effective_at else ()
        named[name] = (rules, *before)[:KEPT_VERSIONS]

    def in_force(self, tenant: str, received_at: datetime) -> Rules:
        """What an event of a tenant is decided by."""
        named = self._known.get(tenant)
        if not named:
            return SHIPPED
        versions = named.get("default") or (next(iter(named.values())) if len(named) == 1 else (SHIPPED,))
        for rules in versions:
            if rules.effective_at is None or rules.effective_at <= received_at:
                return rules
        return versions[-1]


KEPT_VERSIONS: Final = 4
