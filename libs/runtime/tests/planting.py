"""Plants a bug in a module of the runtime: its source with one place rewritten, in force wherever it is used."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest


def plant(patch: pytest.MonkeyPatch, module: ModuleType, old: str, new: str) -> None:
    """Let the functions of a module run the rewritten code. Fails if the place is not there exactly once."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{module.__name__} has {source.count(old)} times: {old}"
    rewritten = dict(codes(compile(source.replace(old, new), f"<mutant of {module.__name__}>", "exec")))
    for function in functions(module):
        if code := rewritten.get(function.__qualname__):  # what a dataclass makes has no place in the source
            patch.setattr(function, "__code__", code)


def codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """The code of every function of a module and of its classes, by qualified name."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname, constant
            yield from codes(constant)


def functions(module: ModuleType) -> Iterator[FunctionType]:
    """The functions of a module and of its classes, whoever has imported them."""
    mine = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    members = [member for value in mine if inspect.isclass(value) for member in vars(value).values()]
    for value in map(plain, [*mine, *members]):
        if inspect.isfunction(value) and value.__module__ == module.__name__ and "<" not in value.__qualname__:
            yield value


def plain(member: Any) -> Any:
    """The function in a property, a class method or a cache."""
    member = getattr(member, "fget", None) or getattr(member, "__func__", member)
    return inspect.unwrap(member) if callable(member) else member
