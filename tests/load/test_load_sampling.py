"""Lines through samples, and rates between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.sampling import Samples, catch_up

MB = st.floats(50, 500)


@given(start=MB, per_hour=st.floats(-100, 100), looks=st.integers(8, 200))
def test_steady_growth_is_told_as_it_is(start: float, per_hour: float, looks: int) -> None:
    at = [10.0 * n for n in range(looks)]
    samples = Samples(at, {"role": [start + per_hour * t / 3600 for t in at]})
    assert samples.megabytes_an_hour("role") == pytest.approx(per_hour, abs=1e-6)
    assert samples.megabytes_an_hour("role", 0.5) == pytest.approx(per_hour, abs=1e-6)
    half = at[-1] - at[int(looks / 2)]
    assert samples.grown("role") == pytest.approx(per_hour * half / 3600, abs=1e-6)


@given(low=MB, high=MB)
def test_what_has_filled_up_before_the_last_half_has_not_grown_in_it(low: float, high: float) -> None:
    samples = Samples([float(n) for n in range(20)], {"role": [low] * 8 + [high] * 12})
    assert samples.grown("role") == pytest.approx(0, abs=1e-6)
    assert samples.mean("role", 0, 0.25) == pytest.approx(low)
    assert samples.mean("role", 0.75, 1) == pytest.approx(high)


def test_rates_are_those_between_two_looks() -> None:
    samples = Samples([0.0, 10.0, 20.0], {}, {"moves": [0, 100, 400], "stands": [7, 7, 7]})
    assert samples.rates("moves") == [10.0, 30.0]
    assert catch_up(samples) == {"moves, messages/s": 20.0, "moves, least": 10.0, "moves, most": 30.0}
