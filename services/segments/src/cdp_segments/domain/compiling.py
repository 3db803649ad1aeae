"""Conditions become Python functions.

The source holds only names, operators and brackets: every constant of a definition is bound by name, so no text
that a user wrote can become code. A compiled tree of five leaves takes about a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cdp_contracts.conditions_v1 import And, CompareOp, Condition, Not, Or

from cdp_segments.domain.belonging import Truth
from cdp_segments.domain.comparing import COMPARISONS
from cdp_segments.domain.leaves import CountLeaf, Leaf, TraitLeaf, leaf_of
from cdp_segments.domain.marks import EMPTY
from cdp_segments.domain.sessions import SessionLeaf
from cdp_segments.domain.windows import Ever, Lately

MAX_DEPTH: Final = 32
MAX_LEAVES: Final = 256


class Compiler:
    """Writes the function of one condition."""

    def __init__(self, truths: Mapping[str, Truth]) -> None:
        """`truths` are those of the segments that the condition may refer to."""
        self._truths = truths
        self.leaves: dict[str, Leaf] = {}
        self._constants: dict[str, object] = {"EMPTY": EMPTY}
        self._rings: dict[str, str] = {}

    def compile(self, condition: Condition) -> Truth:
        """The function that tells whether a person fulfils the condition at an instant (milliseconds).

        ValueError, naming the rule, for operands that make no sense and for trees that are too large.
        """
        expression = self._tree(condition, depth=1)
        lines = ["def truth(person, now):", "    rings = person.rings"]
        lines += [f"    {ring} = rings.get({self._constant(key)}, EMPTY)" for key, ring in self._rings.items()]
        source = "\n".join([*lines, f"    return {expression}"])
        exec(compile(source, "<condition>", "exec"), self._constants)  # noqa: S102  # nosec B102  # holds no user's text
        truth: Truth = self._constants["truth"]  # type: ignore[assignment]  # the line above put it there
        return truth

    def _tree(self, condition: Condition, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise ValueError(f"when: conditions may be nested {MAX_DEPTH} deep")
        match condition:
            case And(of=parts):
                return f"({' and '.join(self._tree(part, depth + 1) for part in parts)})"
            case Or(of=parts):
                return f"({' or '.join(self._tree(part, depth + 1) for part in parts)})"
            case Not(of=part):
                return f"(not {self._tree(part, depth + 1)})"
            case _:
                return self._leaf(leaf_of(condition, self._truths))

    def _leaf(self, leaf: Leaf) -> str:
        self.leaves[leaf.key] = leaf
        if len(self.leaves) > MAX_LEAVES:
            raise ValueError(f"when: a condition may have {MAX_LEAVES} leaves")
        match leaf:
            case TraitLeaf(condition=trait):
                compare = self._constant(COMPARISONS[trait.op])
                return f"{compare}(person.trait({self._constant(leaf.path)}), {self._constant(trait.value)})"
            case SessionLeaf():
                return f"{self._constant(leaf.holds)}(person)"
            case CountLeaf(condition=count):
                return compared(count.op, count.n, lambda k: self._at_least(leaf, k))
            case _:
                return f"{self._constant(leaf.holds)}(person, now)"

    def _at_least(self, leaf: CountLeaf, k: int) -> str:
        """Whether the window holds at least k marks: whether the k-th newest is within it."""
        if k == 0:
            return "True"
        ring = self._rings.setdefault(leaf.ask.selector.key, f"r{len(self._rings)}")
        enough = f"len({ring}) >= {self._constant(k)}"
        match leaf.ask.reach:
            case Ever():
                return f"({enough})"
            case Lately(length=length):
                after = f"now - {self._constant(length)}"
            case reach:
                after = f"{self._constant(reach.after)}(now)"
        return f"({enough} and {ring}[{self._constant(-k)}][0] > {after})"

    def _constant(self, value: object) -> str:
        name = f"C{len(self._constants)}"
        self._constants[name] = value
        return name


def compared(op: CompareOp, n: int, at_least: Callable[[int], str]) -> str:
    """The comparison of a count with n, in terms of "at least k"."""
    match op:
        case ">=":
            return at_least(n)
        case ">":
            return at_least(n + 1)
        case "<":
            return f"(not {at_least(n)})"
        case "<=":
            return f"(not {at_least(n + 1)})"
        case "==":
            return f"({at_least(n)} and not {at_least(n + 1)})"
        case "!=":
            return f"(not ({at_least(n)} and not {at_least(n + 1)}))"
