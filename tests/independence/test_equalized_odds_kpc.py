"""The metric of equalized odds, and that DEO in metrics is the paper's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairsk.independence import equalized_odds_kpc, kernel_partial_correlation
from fairsk.metrics import deo


def test_is_the_coefficient_of_standardised_variables():
    rng = np.random.default_rng(0)
    n = 300
    y, age = rng.normal(3, 7, n), rng.integers(17, 95, n)
    sex = rng.choice(["f", "m"], n)
    output = y + age * rng.random(n)
    frame = pd.DataFrame({"age": age, "sex": sex})
    points = np.column_stack([(age - age.mean()) / age.std(), sex == "m"])
    expected = kernel_partial_correlation(output, points, given=(y - y.mean()) / y.std())
    value = equalized_odds_kpc(y, output, sensitive_features=frame)
    assert value == pytest.approx(expected, abs=1e-12)  # rounding of the scales
    # Of two classes, one probability says what both do.
    label, p = rng.choice(["no", "yes"], n), rng.random(n)
    both = equalized_odds_kpc(label, np.column_stack([1 - p, p]), sensitive_features=frame)
    assert both == pytest.approx(equalized_odds_kpc(label, p, sensitive_features=frame), abs=1e-12)


def test_rows_without_sensitive_features_are_left_out():
    rng = np.random.default_rng(1)
    y, output, A = rng.integers(0, 2, 100), rng.random(100), rng.normal(size=100)
    A[:20] = np.nan
    value = equalized_odds_kpc(y, output, sensitive_features=A)
    expected = equalized_odds_kpc(y[20:], output[20:], sensitive_features=A[20:])
    assert value == pytest.approx(expected, abs=1e-13)  # means over arrays laid out differently


def test_constant_predictions_have_none():
    y, A = np.repeat([0, 1], 20), np.tile([0, 1], 20)
    assert equalized_odds_kpc(y, np.full(40, 0.3), sensitive_features=A) == 0
    assert equalized_odds_kpc(y, y, sensitive_features=A) == 0


def test_deo_is_the_sum_over_labels_and_groups():
    rng = np.random.default_rng(2)
    y, h, A = rng.integers(0, 2, (3, 200))
    expected = sum(
        abs(h[(y == c) & (a == A)].mean() - h[y == c].mean()) for c in (0, 1) for a in (0, 1)
    )
    assert deo(y, h, sensitive_features=A) == pytest.approx(expected, abs=1e-14)  # rounding
