"""Sensitive features of mixed types as a float matrix."""

import numpy as np
import pandas as pd
import pytest

from fairsk.utils import SensitiveEncoder


def test_columns_by_type():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 12, size=50),
            "children": rng.integers(0, 4, size=50),
            "year": rng.integers(1900, 2000, size=50),
            "sex": np.where(np.arange(50) < 30, "f", "m"),
            "veteran": np.arange(50) < 10,
        }
    )
    encoder = SensitiveEncoder().fit(frame)
    codes = encoder.transform(frame)
    most = frame["children"].mode()[0]
    children = [f"children={k}" for k in range(4) if k != most]
    assert list(encoder.feature_names_out_) == ["age", *children, "year", "sex=m", "veteran=True"]
    np.testing.assert_array_equal(
        encoder.is_numeric_, [True, False, False, False, True, False, False]
    )
    for j in np.flatnonzero(encoder.is_numeric_):
        assert codes[:, j].mean() == pytest.approx(0, abs=1e-12)
        assert codes[:, j].std() == pytest.approx(1)
    np.testing.assert_array_equal(codes[:, 5], frame["sex"] == "m")


def test_missing_values_and_order_of_columns():
    frame = pd.DataFrame({"a": ["x", "y", None, "x"], "b": [0.5, np.nan, 1.5, 3.0]})
    encoder = SensitiveEncoder().fit(frame)
    codes = encoder.transform(frame)
    np.testing.assert_array_equal(np.isnan(codes), [[0, 0], [0, 1], [1, 0], [0, 0]])
    np.testing.assert_array_equal(codes, encoder.transform(frame[["b", "a"]]))


def test_whole_floats_and_integers_are_the_same_codes():
    encoder = SensitiveEncoder().fit([1, 2, 2, 3])
    np.testing.assert_array_equal(encoder.transform([1.0, 2.0, 3.0]), encoder.transform([1, 2, 3]))
    assert encoder.feature_names_out_ == ("sensitive_feature_0=1", "sensitive_feature_0=3")


def test_constant_columns_stay():
    assert SensitiveEncoder().fit_transform([["a", 0.5], ["a", 0.5]]).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ([["c", 0.5]], "has the value 'c', which was not seen in fit; it had \\['a', 'b'\\]"),
        ([["a"]], "There are 1 sensitive features; in fit there were 2"),
    ],
)
def test_errors_of_transform(new, message):
    encoder = SensitiveEncoder().fit([["a", 0.5], ["b", 1.5]])
    with pytest.raises(ValueError, match=message):
        encoder.transform(new)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[None, 1.0], [None, 2.0]], "'sensitive_feature_0' is missing"),
        ([0.5, np.inf], "has infinite values"),
    ],
)
def test_errors_of_fit(values, message):
    with pytest.raises(ValueError, match=message):
        SensitiveEncoder().fit(values)
