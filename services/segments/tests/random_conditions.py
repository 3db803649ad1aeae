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
    Dwell,
    EventSequence,
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
from cdp_contracts.sequences_v1 import Interruption, NotAfter, SequenceStep
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
spans = st.sampled_from([0.5, 1, 2])
seldom = st.one_of(st.none(), st.none(), spans)
often = st.sampled_from(["view", "view", "buy", "*"])
few_wheres = st.builds(lambda n, rule: () if n else (rule,), st.integers(0, 4), filters)


def sequence_of(first, steps, not_after, same, window, **bounds) -> EventSequence:
    """A sequence that makes sense: what must not happen has the same property only if the steps have."""
    steps = steps if steps or not_after else [first]
    if same is None:
        alike = [tuple(each.model_copy(update={"same": False}) for each in step.not_between) for step in steps]
        steps = [step.model_copy(update={"not_between": own}) for step, own in zip(steps, alike, strict=True)]
    if not_after:
        longest = getattr(window, "seconds", None) or getattr(window, "to_seconds", None) or 4
        about = {"same": not_after.same and same is not None, "within_seconds": min(2, longest / 2)}
        not_after = not_after.model_copy(update=about)
    return EventSequence(steps=(first, *steps), not_after=not_after, same=same, window=window, **bounds)


interruptions = st.builds(Interruption, event=often, where=few_wheres, same=st.booleans())
silences = st.builds(NotAfter, event=often, where=few_wheres, same=st.booleans(), within_seconds=st.just(1))
followers = st.builds(
    SequenceStep,
    event=often,
    where=few_wheres,
    within_seconds=seldom,
    not_between=st.one_of(st.just(()), st.lists(interruptions, max_size=2).map(tuple)),
)
sequences = st.builds(
    sequence_of,
    first=st.builds(SequenceStep, event=often, where=few_wheres),
    steps=st.one_of(st.lists(followers, max_size=1), st.lists(followers, max_size=3)),
    not_after=st.one_of(st.none(), silences),
    same=st.sampled_from([*[None] * 4, "kind", "amount", "price.net"]),
    window=st.builds(lambda n, window: window if n else Lifetime(), st.integers(0, 2), timed),
    within_seconds=seldom,
    times=st.sampled_from([1, 1, 1, 2, 3]),
)
lengths = st.sampled_from([(0.5, None), (1, 2), (None, 1), (2, 3600), (None, 0.5), (7200, None)])
dwells = st.builds(
    lambda trait, length: Dwell(
        trait=trait.trait, op=trait.op, value=trait.value, at_least_seconds=length[0], less_than_seconds=length[1]
    ),
    traits,
    lengths,
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
        sequences,
        sequences,
        dwells,
    ),
    lambda inner: st.one_of(
        st.builds(And, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, of=inner),
    ),
    max_leaves=4,
)

trait_values = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["x", "y", None]),
        "age": st.one_of(numbers, st.none(), st.just("old")),
        "home": st.one_of(st.none(), st.builds(lambda city: {"city": city}, st.sampled_from(["x", "y"]))),
    },
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
    st.builds(Event, type=st.just("identify"), name=st.just("identify"), traits=trait_values),
    st.builds(Event, type=st.just("group"), name=st.just("group"), traits=trait_values),
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
