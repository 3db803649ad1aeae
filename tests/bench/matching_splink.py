"""The peer: Splink 5 on DuckDB, which sees all records at once and estimates its weights from them.

The recipe of its documentation (moj-analytical-services/splink, docs/demos/examples/duckdb, `febrl3` and
`febrl4`), for other fields in the same manner: u from random pairs, the prior by strict rules and the share of
matches they are thought to find, m by expectation maximization, once blocked on each of two fields.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any, Final

from cdp_devstack.labelled import LabelledSet, Pair, Quality, closed, quality

EVEN: Final = 0.5
"""The probability from which its links are taken for right: more likely than not."""
SURE: Final = 0.95
"""The probability from which its guide clusters."""
LEAST: Final = 0.01
SEED: Final = 2  # of the pairs that u is estimated from


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is compared, which pairs are, and what the weights are estimated from."""

    comparisons: Callable[[], list[Any]]
    blocking: Sequence[tuple[str, ...] | str]
    strict: Sequence[tuple[str, ...] | str]
    recall: float
    training: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Peer:
    """Its links from even odds, from the threshold that the labels say is best, and its clusters."""

    even: Quality
    best: Quality
    best_from: float
    clusters: Quality
    seconds: float


def _name(field: str) -> Any:
    import splink.comparison_library as compare

    return compare.NameComparison(field).configure(term_frequency_adjustments=True)


def _exact(field: str) -> Any:
    import splink.comparison_library as compare

    return compare.ExactMatch(field).configure(term_frequency_adjustments=True)


def _febrl() -> list[Any]:
    import splink.comparison_library as compare

    birth = compare.DateOfBirthComparison(
        "date_of_birth", input_is_string=True, datetime_format="%Y%m%d", invalid_dates_as_null=True
    )
    number = compare.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2])
    area = compare.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True)
    return [_name("given_name"), _name("surname"), birth, number, _exact("street_number"), area]


def _rldata() -> list[Any]:
    import splink.comparison_library as compare

    parts = [compare.LevenshteinAtThresholds(f"birth_{part}", [1, 2]) for part in ("year", "month", "day")]
    return [_name("first_name"), _name("last_name"), *parts]  # better here than its comparison of whole dates


def _households() -> list[Any]:
    import splink.comparison_library as compare

    street = compare.JaroWinklerAtThresholds("street_name", [0.9]).configure(term_frequency_adjustments=True)
    names = [_name("first_name"), _name("last_name"), _exact("middle_initial")]
    return [*names, street, _exact("street_number"), _exact("zipcode")]


RECIPES: Final[Mapping[str, Recipe]] = {
    "FEBRL": Recipe(
        _febrl,
        (("given_name", "surname"), "l.given_name = r.surname and l.surname = r.given_name", ("date_of_birth",),
         ("soc_sec_id",), ("state", "address_1"), ("street_number", "address_1"), ("postcode",)),
        (("soc_sec_id",), ("given_name", "surname", "date_of_birth"),
         "l.given_name = r.surname and l.surname = r.given_name and l.date_of_birth = r.date_of_birth"),
        0.9, (("date_of_birth",), ("postcode",)),
    ),
    "RLdata": Recipe(
        _rldata,
        (("first_name", "last_name"), ("first_name", "birth_year"), ("last_name", "birth_year"),
         ("birth_year", "birth_month", "birth_day")),
        (("first_name", "last_name", "birth_year"), ("birth_year", "birth_month", "birth_day", "first_name"),
         ("birth_year", "birth_month", "birth_day", "last_name")),
        0.9, (("first_name", "last_name"), ("birth_year", "birth_month", "birth_day")),
    ),
    "househ": Recipe(
        _households,
        (("first_name", "last_name"), ("last_name", "street_name"),
         ("first_name", "street_name", "street_number"), ("first_name", "middle_initial", "street_name")),
        (("first_name", "last_name", "middle_initial", "street_name"),),
        0.6, (("first_name", "last_name"), ("street_name", "street_number")),
    ),
}  # fmt: skip


def linked(known: LabelledSet) -> Peer:
    """Train, predict, cluster."""
    recipe = next(recipe for name, recipe in RECIPES.items() if known.name.startswith(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own libraries deprecate each other
        logging.disable(logging.WARNING)
        try:
            started = time.process_time()
            found = _linked(known, recipe)
            return _judged(known, found, time.process_time() - started)
        finally:
            logging.disable(logging.NOTSET)


def _linked(known: LabelledSet, recipe: Recipe) -> list[tuple[float, Pair]]:
    import duckdb
    import pyarrow
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    def rules(fields: Iterable[tuple[str, ...] | str]) -> list[Any]:
        return [rule if isinstance(rule, str) else block_on(*rule) for rule in fields]

    rows = [prepared(record.key, record.fields) for record in known.records]
    columns = sorted({name for row in rows for name in row})
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in columns})
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=recipe.comparisons(),
        blocking_rules_to_generate_predictions=rules(recipe.blocking),
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )
    linker = Linker(DuckDBAPI(duckdb.connect()).register(table), settings)
    linker.training.estimate_probability_two_random_records_match(rules(recipe.strict), recall=recipe.recall)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=SEED)
    for fields in recipe.training:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*fields))
    links = linker.inference.predict(threshold_match_probability=LEAST).as_record_list()
    return [(row["match_probability"], frozenset((row["unique_id_l"], row["unique_id_r"]))) for row in links]


def prepared(key: str, fields: Mapping[str, str]) -> dict[str, str | None]:
    """A row, with nothing for what is empty, and one name for a kind of field."""
    row = {name.removeprefix("mailing_address_"): value or None for name, value in fields.items()}
    return {"unique_id": key, **row}


def _judged(known: LabelledSet, found: list[tuple[float, Pair]], seconds: float) -> Peer:
    def from_(least: float) -> frozenset[Pair]:
        return frozenset(pair for probability, pair in found if probability >= least)

    best = max(thresholds(found, known.pairs), key=lambda each: each[1].f1)
    return Peer(
        quality(from_(EVEN), known.pairs),
        best[1],
        best[0],
        quality(closed(from_(SURE)), known.pairs),
        seconds,
    )


def thresholds(found: Iterable[tuple[float, Pair]], truth: frozenset[Pair]) -> list[tuple[float, Quality]]:
    """How good the links are from each probability on."""
    ordered = sorted(found, key=lambda link: -link[0])
    steps = [(p, [pair in truth for _, pair in links]) for p, links in groupby(ordered, lambda link: link[0])]
    totals = accumulate(((sum(right), len(right)) for _, right in steps), lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return [
        (p, Quality(right / count, right / len(truth)))
        for (p, _), (right, count) in zip(steps, totals, strict=True)
    ]
