"""Draws from a seed what goes wrong and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["kill", "zombie", "replace", "outage", "power-cut", "previous"]
Act: TypeAlias = Literal["first", "turn", "second"]

ACTS: Final[tuple[Act, ...]] = ("first", "turn", "second")
PARTING: Final = ("identity-resolver", "profiles-writer", "segments-evaluator")

STAGES: Final = (
    "collector-validator", "consent-gate", "identity-resolver", "profiles-writer", "segments-evaluator",
)  # fmt: skip
ROLES: Final = ("collector-http", *STAGES)
DRAWN: Final = ("kill",) * 3 + ("outage",) * 2 + ("zombie", "replace", "power-cut", "previous")
SESSION_SECONDS: Final = 6.0
"""After so long a silence the broker gives a member's partitions to another one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a role or a server, when (seconds from the beginning of an act) and for how long.

    kill       a role ends as by SIGKILL and is started again after so long
    zombie     a role stands still (SIGSTOP) while a second instance takes over, and then goes on
    replace    a second instance joins, the first ends in good order; then the same the other way round
    previous   the same, and the second instance uses the contracts as they were before their newest change
    outage     a server is stopped in good order and started again after so long
    power-cut  the same by SIGKILL
    """

    at: float
    kind: Kind
    target: str
    seconds: float
    act: Act = "first"

    def __str__(self) -> str:
        """One line of a schedule."""
        return f"{self.act}  {self.at:5.1f} s  {self.kind} {self.target} for {self.seconds:.1f} s"


def every_act(seed: int, *, rolling: bool = True) -> tuple[Fault, ...]:
    """The faults of a whole story. At its turn, roles that people are parted by are killed."""
    rng = Random(f"faults {seed} turn")
    turn = [Fault(round(rng.uniform(0, 1.5), 1), "kill", role, 0.0, "turn") for role in rng.sample(PARTING, 2)]
    second = schedule(seed, "second", seconds=4.0, most=3, rolling=rolling)
    return (*schedule(seed, rolling=rolling), *turn, *second)


def schedule(
    seed: int, act: Act = "first", *, seconds: float = 10.0, most: int = 5, rolling: bool = True
) -> tuple[Fault, ...]:
    """The faults of an act, in time: the same every time. Without `rolling`, none is of the kind `previous`."""
    rng = Random(f"faults {seed}" if act == "first" else f"faults {seed} {act}")
    faults: list[Fault] = []
    for _ in range(rng.randrange(3, most + 1)):
        at = round(rng.uniform(0.5, seconds), 1)
        match rng.choice(
            ("kill", "kill", "kill", "zombie", "replace", "outage", "outage", "power-cut", "previous")
        ):
            case "zombie":
                lasts = SESSION_SECONDS + rng.uniform(1, 3)
                faults.append(Fault(at, "zombie", rng.choice(STAGES), round(lasts, 1)))
            case "replace":
                faults.append(Fault(at, "replace", rng.choice(ROLES), round(rng.uniform(1, 4), 1)))
            case "previous":
                kind: Kind = "previous" if rolling else "replace"
                faults.append(Fault(at, kind, rng.choice(ROLES), round(rng.uniform(2, 5), 1)))
            case "outage":
                target = rng.choice(("kafka", "mongo", "redis"))
                faults.append(Fault(at, "outage", target, round(rng.uniform(0, 5), 1)))
            case "power-cut":
                # The stand-in for MongoDB may lose what it acknowledged in the last 50 ms: MongoDB does not.
                faults.append(Fault(at, "power-cut", rng.choice(("kafka", "redis")), round(rng.uniform(0, 3), 1)))
            case _:
                faults.append(Fault(at, "kill", rng.choice(ROLES), round(rng.uniform(0, 2), 1)))
    return tuple(replace(f, act=act) for f in sorted(faults, key=lambda fault: (fault.at, fault.target)))
