"""The tables of settings in the READMEs, from the settings themselves: name, default, unit, meaning, secret."""

from __future__ import annotations

import html
import json
import typing
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cdp_runtime.settings import (
    AdminSettings,
    HttpBounds,
    KafkaSettings,
    MongoSettings,
    PrivacySettings,
    RedisSettings,
)
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from infra.generate.roles import ROLES, SERVICES, settings_of

BEGIN: Final = "<!-- settings: begin, written by `python -m infra.generate` -->"
END: Final = "<!-- settings: end -->"
UNITS: Final = (("_seconds", "s"), ("_ms", "ms"), ("_bytes", "bytes"), ("_records", "messages"))
SHARED: Final = (KafkaSettings, MongoSettings, RedisSettings, HttpBounds, PrivacySettings, AdminSettings)


def files(root: Path) -> dict[str, str]:
    """The READMEs with their tables as they must be."""
    pages = {"libs/runtime/README.md": table(dict.fromkeys(SHARED, ""))}
    for service in SERVICES:
        pages[f"services/{service}/README.md"] = table(settings_by_role(service))
    return {name: with_table((root / name).read_text(), made, name) for name, made in pages.items()}


def with_table(page: str, made: str, name: str) -> str:
    """The page with the table between the marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{name} has no place for the table of settings: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def settings_by_role(service: str) -> dict[type[BaseSettings], str]:
    """The settings of each role of a service, with the roles that take them."""
    found: dict[type[BaseSettings], list[str]] = {}
    for role in (role for role in ROLES if role.service == service):
        found.setdefault(settings_of(role), []).append(role.name.removeprefix(f"{service}-"))
    return {cls: ", ".join(roles) for cls, roles in found.items()}


def table(of: dict[type[BaseSettings], str]) -> str:
    """One row a variable, in the order of the code; what several roles share comes once."""
    rows: dict[str, tuple[list[str], list[str]]] = {}
    for cls, named in of.items():
        for name, cells in variables(cls):
            rows.setdefault(name, (cells, []))[1].append(named)
    several = len([roles for roles in of.values() if roles]) > 1
    lines = [
        "| variable | default | unit | |" + (" role |" if several else ""),
        "|---|---|---|---|" + "---|" * several,
    ]
    for name, (cells, roles) in rows.items():
        role = [", ".join(roles) if len(roles) < len(of) else "all"] if several else []
        lines.append(f"| {' | '.join([f'`{name}`', *cells, *role])} |")
    return "\n".join(lines)


def variables(cls: type[BaseSettings]) -> Iterator[tuple[str, list[str]]]:
    """Each variable with its cells: default, unit, meaning."""
    prefix = cls.model_config.get("env_prefix", "")
    for name, field in cls.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseSettings):
            if inner is not KafkaSettings:
                yield from variables(inner)
            continue
        yield f"{prefix}{name}".upper(), [default(field), unit(name), meaning(field)]


def is_secret(field: FieldInfo) -> bool:
    """Whether the value must not be shown."""
    return "SecretStr" in repr(field.annotation) or "Token" in repr(field.annotation)


def default(field: FieldInfo) -> str:
    """The default as one would write it into the environment."""
    value = field.default
    if value is PydanticUndefined:
        return "none, must be set"
    value = value.get_secret_value() if isinstance(value, SecretStr) else value
    if value in (None, (), "{}"):
        return "none"
    return f"`{written(value)}`"


def written(value: Any) -> str:
    """A value as text."""
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case tuple():
            return json.dumps(list(value))
        case _:
            return str(value)


def unit(name: str) -> str:
    """What a number counts, where its name says so."""
    return next((word for ending, word in UNITS if name.endswith(ending)), "")


def meaning(field: FieldInfo) -> str:
    """The description, and the values to choose from."""
    choices = [str(one) for one in typing.get_args(field.annotation) if isinstance(one, str)]
    words = ["secret"] if is_secret(field) else []
    words += [field.description] if field.description else []
    words += [f"one of {', '.join(f'`{one}`' for one in choices)}"] if choices else []
    return html.escape("; ".join(words), quote=False).replace("|", "\\|")
