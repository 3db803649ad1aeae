"""Every role that is deployed: a new one is a line in `ROLES`. The rest follows from the code and the registry."""

from __future__ import annotations

import importlib
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from cdp_contracts.topics import TOPICS
from cdp_runtime.app import Role
from cdp_runtime.settings import PrivacySettings
from pydantic import SecretStr
from pydantic_settings import BaseSettings

Server = Literal["kafka", "mongo", "redis"]


@dataclass(frozen=True, slots=True)
class DeployedRole:
    """A role, the servers it talks to, whether others may call it, and whether it calls others."""

    name: str
    servers: tuple[Server, ...]
    serves: bool = False
    posts: bool = False

    @property
    def service(self) -> str:
        """The service whose image it runs."""
        return self.name.split("-", maxsplit=1)[0]

    @property
    def builder(self) -> str:
        """What uvicorn is given."""
        return f"cdp_{self.service}.app:build_{self.name.split('-', maxsplit=1)[1]}"


ROLES: Final = (
    DeployedRole("collector-http", ("kafka",), serves=True),
    DeployedRole("collector-validator", ("kafka", "redis")),
    DeployedRole("collector-receipts", ("kafka", "redis"), serves=True),
    DeployedRole("consent-gate", ("kafka", "mongo")),
    DeployedRole("identity-resolver", ("kafka", "mongo")),
    DeployedRole("identity-matcher", ("kafka", "mongo"), serves=True),
    DeployedRole("profiles-writer", ("kafka", "mongo")),
    DeployedRole("profiles-historian", ("kafka", "mongo")),
    DeployedRole("profiles-http", ("mongo",), serves=True),
    DeployedRole("segments-evaluator", ("kafka", "mongo", "redis")),
    DeployedRole("segments-http", ("kafka", "mongo"), serves=True),
    DeployedRole("segments-sender", ("kafka",), posts=True),
)
SERVICES: Final = tuple(dict.fromkeys(role.service for role in ROLES))


@dataclass(frozen=True, slots=True)
class Reading:
    """A consumer group of a role, the topic it reads, and how many members can have work."""

    group: str
    topic: str
    partitions: int


@cache
def readings(role: DeployedRole) -> tuple[Reading, ...]:
    """What the stages of a role read, from the role as it is wired, but for dead letters. Nothing connects."""
    return tuple(
        Reading(stage.runner.group, topic.name, topic.partitions)
        for stage in built(role).state.stages
        for topic in stage.runner.stage.reads
        if topic in TOPICS
    )


def settings_of(role: DeployedRole) -> type[BaseSettings]:
    """The settings that its builder takes."""
    module, builder = role.builder.split(":")
    asked = typing.get_type_hints(getattr(importlib.import_module(module), builder))["settings"]
    found: type[BaseSettings] = next(one for one in typing.get_args(asked) if one is not type(None))
    return found


def built(role: DeployedRole) -> Role:
    """The role with default settings; the one setting without a default is made up."""
    module, builder = role.builder.split(":")
    made_up: Any = {"privacy": PrivacySettings(pepper=SecretStr("of no one, for the wiring alone"))}
    made: Any = getattr(importlib.import_module(module), builder)(settings_of(role)(**made_up))
    if not isinstance(made, Role):
        raise TypeError(f"{role.builder} builds no role")
    return made
