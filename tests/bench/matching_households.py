"""Families, twins and institutions: a census and tax forms of one made-up town, by pseudopeople (BSD-3-Clause).

The census tells name, date of birth and address, the tax form name, number and mailing address; each has its
noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from cdp_devstack.labelled import Labelled, LabelledSet

CENSUS = (
    "first_name", "middle_initial", "last_name", "date_of_birth", "street_number", "street_name", "unit_number",
    "city", "state", "zipcode", "sex",
)  # fmt: skip
TAX = (
    "ssn", "first_name", "middle_initial", "last_name", "employer_name", "mailing_address_street_number",
    "mailing_address_street_name", "mailing_address_unit_number", "mailing_address_po_box", "mailing_address_city",
    "mailing_address_state", "mailing_address_zipcode",
)  # fmt: skip


def households(seeds: Iterable[int]) -> Iterator[LabelledSet]:
    """One set for each seed of the noise; none where the package cannot be had (it needs Python 3.11 or 3.12)."""
    if find_spec("pseudopeople") is None:
        return
    for seed in seeds:
        yield LabelledSet(f"households {seed}", "US", list(records(seed)))


def records(seed: int) -> Iterator[Labelled]:
    """The census first, then the tax forms."""
    import pseudopeople

    pages = (
        ("census", CENSUS, pseudopeople.generate_decennial_census(seed=seed)),
        ("tax", TAX, pseudopeople.generate_taxes_w2_and_1099(seed=seed)),
    )
    for source, columns, page in pages:
        for n, row in enumerate(page.astype(object).fillna("").to_dict("records")):
            yield Labelled(f"{source}-{n}", row["simulant_id"], {name: str(row[name]) for name in columns})
