"""Conditions and events to hold them against, drawn so that they often have to do with each other."""

from __future__ import annotations

from collections.abc import Callable

from cdp_contracts.conditions_v1 import (
    Absence,
    Aggregate,
    AggregateOf,
    And,
    Between,
    Bucket,
    Calendar,
    Condition,
    Count,
    CountOf,
    First,
    InSegment,
    InSession,
    Last,
    Lifetime,
    Not,
    Or,
    PropertyFilter,
    Ratio,
    Session,
    SessionCount,
    Sliding,
    Trait,
)
from cdp_contracts.events_v1 import Event
from hypothesis import strategies as st

operators = st.sampled_from(["==", "!=", ">", ">=", "<", "<="])
numbers = st.integers(0, 2)
names = st.sampled_from(["view", "view", "buy", "page", "*"])
filters = st.one_of(
    st.builds(PropertyFilter, property=st.just("kind"), op=st.just("=="), value=st.sampled_from([1, True, "a"])),
    st.builds(PropertyFilter, property=st.just("price.net"), op=st.sampled_from([">", "<="]), value=numbers),
    st.builds(PropertyFilter, property=st.just("kind"), op=st.sampled_from(["exists", "missing"])),
)
wheres = st.one_of(st.just(()), st.just(()), st.lists(filters, max_size=2).map(tuple))
sessions = st.builds(Session, gap_seconds=st.sampled_from([1, 1.5]))
slidings = st.builds(Sliding, seconds=st.sampled_from([0.5, 1, 2]))
betweens = st.builds(
    Between, from_seconds=st.sampled_from([0.5, 1]), to_seconds=st.sampled_from([1.5, 2, 3600, None])
)
calendars = st.builds(
    Calendar,
    unit=st.sampled_from(["day", "day", "week", "month"]),
    n=st.integers(1, 3),
    full=st.booleans(),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
)
windows = st.one_of(slidings, sessions, st.just(Lifetime()), betweens, calendars)
amounts = st.sampled_from([-1, 0, 0.1, 0.3, 1, 2.5])
functions = st.sampled_from(["sum", "average", "min", "max", "last", "distinct"])
properties_of = st.sampled_from(["amount", "amount", "kind", "price.net"])
valued = st.fixed_dictionaries(
    {
        "function": functions,
        "event": names,
        "property": st.sampled_from(["amount", "amount", "kind", "price.net"]),
    },
    optional={"where": wheres},
)
aggregates = st.builds(
    lambda what, window, op, value: Aggregate(**what, window=window, op=op, value=value),
    valued,
    windows,
    operators,
    amounts,
)
timed = st.one_of(slidings, st.just(Lifetime()), betweens, calendars)
measurables = st.one_of(
    st.builds(CountOf, event=names, where=wheres, window=timed),
    st.builds(lambda what, window: AggregateOf(**what, window=window), valued, timed),
)
ratios = st.builds(
    Ratio,
    numerator=measurables,
    denominator=measurables,
    min_denominator=st.sampled_from([0.1, 1, 2]),
    op=operators,
    value=amounts,
)
timeful = st.one_of(slidings, betweens, calendars)
absences = st.builds(Absence, event=names, where=wheres, window=slidings, require_age=st.booleans())
occurrences = st.one_of(
    st.builds(First, event=names, where=wheres, window=timeful),
    st.builds(Last, event=names, where=wheres, window=timeful),
)
belongings = st.one_of(
    st.builds(InSegment, segment=st.sampled_from(["s0", "s1", "s2"])),
    st.builds(Bucket, seed=st.sampled_from(["a", "b"]), high=st.sampled_from([0.3, 0.7])),
)
traits = st.one_of(
    st.builds(Trait, trait=st.just("plan"), op=st.sampled_from(["==", "!="]), value=st.just("x")),
    st.builds(Trait, trait=st.just("home.city"), op=st.sampled_from(["==", "exists"]), value=st.just("x")).map(
        lambda t: t if t.op == "==" else t.model_copy(update={"value": None})
    ),
    st.builds(Trait, trait=st.just("age"), op=operators, value=numbers),
)
counts = st.builds(Count, event=names, where=wheres, window=windows, op=operators, n=numbers)
session_counts = st.builds(SessionCount, event=names, where=wheres, op=operators, n=numbers)
in_sessions = st.builds(
    InSession, session=sessions, all=st.lists(session_counts, min_size=1, max_size=3).map(tuple)
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        counts,
        counts,
        counts,
        aggregates,
        aggregates,
        ratios,
        absences,
        occurrences,
        belongings,
        traits,
        in_sessions,
    ),
    lambda inner: st.one_of(
        st.builds(And, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, of=inner),
    ),
    max_leaves=4,
)

prices = st.one_of(numbers, st.builds(lambda net: {"net": net}, numbers))
properties = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from([1, True, "a", None]),
        "price": prices,
        "amount": st.sampled_from([-1, 0, 0.1, 0.2, 1, 2.5, 1e300, True, "a", None]),
    },
)
events = st.one_of(
    st.builds(Event, type=st.just("track"), name=st.sampled_from(["view", "buy"]), properties=properties),
    st.builds(Event, type=st.just("page"), name=st.sampled_from(["home", "view"]), properties=properties),
    st.just(Event(type="identify", name="identify")),
)
trait_values = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["x", "y", None]),
        "age": st.one_of(numbers, st.none(), st.just("old")),
        "home": st.one_of(st.none(), st.builds(lambda city: {"city": city}, st.sampled_from(["x", "y"]))),
    },
)


def mapped(condition: Condition, change: Callable[[Condition], Condition]) -> Condition:
    """The condition with its leaves changed."""
    match condition:
        case And(of=parts) | Or(of=parts):
            return condition.model_copy(update={"of": tuple(mapped(part, change) for part in parts)})
        case Not(of=part):
            return Not(of=mapped(part, change))
        case _:
            return change(condition)


def downwards(condition: Condition, n: int) -> Condition:
    """The condition with only such references as lead to segments of a smaller number, so in no circle."""

    def change(leaf: Condition) -> Condition:
        return InSegment(segment="nowhere") if isinstance(leaf, InSegment) and int(leaf.segment[1:]) >= n else leaf

    return mapped(condition, change)


def impersonal(condition: Condition) -> Condition:
    """The condition with everybody in each bucket."""
    return mapped(condition, lambda leaf: Bucket(seed="a", high=1) if isinstance(leaf, Bucket) else leaf)
