"""What may be done with one event. Whatever is missing, unknown or unreadable counts against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cdp_contracts.envelope import derived_id
from cdp_contracts.events_v1 import Decision, EventPermitted, EventValidated, EventWithheld, Purpose

from cdp_consent.domain.choices import SEVERITY, Choices, Moment, Signal, Standing
from cdp_consent.domain.policy import Policy

Ground: TypeAlias = Standing | Literal["default"]

ALLOWING: Final = ("granted", "default")
NO_POLICY: Final = "no-policy"
UNPARSABLE: Final = "unparsable"


@dataclass(frozen=True, slots=True)
class Permitted:
    """The event goes on, with this stamped on it."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Withheld:
    """The event stops here."""

    purposes: tuple[Purpose, ...]
    reason: str


Verdict: TypeAlias = Permitted | Withheld


@dataclass(frozen=True, slots=True)
class Reading:
    """An event's signals under the policy that holds for it."""

    signal: Signal
    policy: Policy | None
    place: str


def read(event: EventValidated, policy: Policy | None) -> Reading:
    """The event's signals in the purposes of the policy.

    An empty choice allows nothing. One none of whose names the policy knows is unreadable; so is any choice
    where there is no policy, and a consent event without one.
    """
    said = event.signals
    place = policy.place(said.jurisdiction) if policy else ""
    choices = _choices(said.choices, policy) if policy and said.choices is not None else {}
    chose = said.choices is not None or event.event.type == "consent"
    signal = Signal(
        moment=Moment(event.received_at, event.occurred_at),
        message_id=event.message_id,
        choices=choices,
        unreadable=said.unparsable or (chose and not choices),
        gpc=tuple(p for p, rule in policy.rules[place].items() if rule.gpc_denies) if policy and said.gpc else (),
        deliberate=event.event.type == "consent",
    )
    return Reading(signal, policy, place)


def _choices(said: Mapping[str, bool], policy: Policy) -> dict[Purpose, bool]:
    return policy.translate(said) if said else dict.fromkeys(policy.purposes, False)


def decide(reading: Reading, states: Sequence[Choices]) -> Verdict:
    """Whether the policy's required purposes are all allowed, for an event with these ids.

    Per purpose the most restrictive of what stands for any of the ids and of what the event itself says
    against it; where nothing stands, the default of the place.
    """
    policy = reading.policy
    if policy is None:
        return Withheld((), NO_POLICY)
    grounds: dict[Purpose, str] = {p: ground(p, reading, policy, states) for p in policy.purposes}
    missing = tuple(purpose for purpose in policy.requires if grounds[purpose] not in ALLOWING)
    if missing:
        return Withheld(missing, _reason(reading.signal, [grounds[purpose] for purpose in missing]))
    return Permitted(
        Decision.model_construct(
            purposes=tuple(purpose for purpose in policy.purposes if grounds[purpose] in ALLOWING),
            basis=grounds,
            jurisdiction=reading.place,
            policy=policy.name,
            policy_version=policy.version,
        )
    )


def ground(purpose: Purpose, reading: Reading, policy: Policy, states: Sequence[Choices]) -> Ground:
    """On what ground a purpose is allowed (`granted`, `default`) or not."""
    received_at = reading.signal.moment.received_at
    standings: list[Standing] = [s for state in states if (s := state.standing(purpose, received_at)) is not None]
    if reading.signal.choices.get(purpose) is False:
        standings.append("denied")
    elif reading.signal.unreadable:
        standings.append("not-asked")
    if standings:
        return max(standings, key=SEVERITY.__getitem__)
    return "default" if policy.rules[reading.place][purpose].default == "granted" else "not-asked"


def _reason(signal: Signal, grounds: Iterable[str]) -> str:
    worst = max(grounds, key=SEVERITY.__getitem__)
    return UNPARSABLE if worst == "not-asked" and signal.unreadable else worst


def message_of(event: EventValidated, verdict: Verdict) -> EventPermitted | EventWithheld:
    """The message of a verdict. Its id depends on the event alone; of a withheld event nothing personal stays."""
    if isinstance(verdict, Permitted):
        return EventPermitted.model_construct(
            **{**event.__dict__, "id": derived_id(event.id, "permitted"), "decision": verdict.decision}
        )
    return EventWithheld(
        tenant=event.tenant,
        id=derived_id(event.id, "withheld"),
        message_id=event.message_id,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        subject=event.subject,
        source=event.source,
        purposes=verdict.purposes,
        reason=verdict.reason,
    )
