"""The peer: Splink 5 on DuckDB, which sees all records at once and estimates its weights from them.

Its tutorial's recipe: u by random pairs, the prior by a strict rule, m by expectation maximization over two
blockings.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cdp_devstack.labelled import LabelledSet, Quality, quality

THRESHOLD: Final = 0.5
NAMES: Final = ("given_name", "surname", "first_name", "last_name", "middle_name", "middle_initial")
TEXTS: Final = ("address_1", "suburb", "street_name", "city", "employer_name")
CODES: Final = (
    "soc_sec_id",
    "postcode",
    "date_of_birth",
    "street_number",
    "birth_year",
    "birth_month",
    "birth_day",
)
RULES: Final[Mapping[str, Sequence[tuple[str, ...]]]] = {
    "FEBRL": (
        ("given_name", "surname"), ("soc_sec_id",), ("date_of_birth",), ("surname", "postcode"),
        ("given_name", "postcode"), ("address_1", "street_number"),
    ),
    "RLdata": (
        ("first_name", "last_name"), ("first_name", "birth_year"), ("last_name", "birth_year"),
        ("birth_year", "birth_month", "birth_day"),
    ),
    "househ": (
        ("first_name", "last_name"), ("last_name", "street_name"), ("first_name", "street_name", "street_number"),
        ("first_name", "middle_initial", "street_name"),
    ),
}  # fmt: skip


def best(known: LabelledSet) -> Quality | None:
    """Its links of probability one half or more."""
    family = next(name for name in RULES if known.name.startswith(name[:6]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own libraries deprecate each other
        logging.getLogger("splink").setLevel(logging.ERROR)
        return linked(known, RULES[family])


def linked(known: LabelledSet, rules: Sequence[tuple[str, ...]]) -> Quality:
    """Train and predict."""
    import duckdb
    import pyarrow
    import splink.comparison_library as compare
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    rows = [
        {
            "unique_id": record.key,
            **{name.removeprefix("mailing_address_"): v or None for name, v in record.fields.items()},
        }
        for record in known.records
    ]
    columns = sorted({name for row in rows for name in row})
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in columns})
    comparisons: list[Any] = [
        compare.JaroWinklerAtThresholds(name, [0.92, 0.8]).configure(term_frequency_adjustments=True)
        for name in columns
        if name in NAMES or name in TEXTS
    ]
    comparisons += [compare.LevenshteinAtThresholds(name, [1, 2]) for name in columns if name in CODES]
    blocking = [block_on(*rule) for rule in rules]
    api = DuckDBAPI(duckdb.connect())
    settings = SettingsCreator(
        link_type="dedupe_only", comparisons=comparisons, blocking_rules_to_generate_predictions=blocking
    )
    linker = Linker(api.register(table), settings)
    linker.training.estimate_probability_two_random_records_match(blocking[:1], recall=0.6)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
    for rule in blocking[:2]:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=THRESHOLD).as_record_list()
    return quality(frozenset(frozenset((row["unique_id_l"], row["unique_id_r"])) for row in found), known.pairs)
