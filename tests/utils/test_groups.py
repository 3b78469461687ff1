"""Sensitive features of any container, turned into groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsk.utils import GroupEncoder, check_same_rows, check_sensitive_features, import_optional


@pytest.mark.parametrize(
    ("values", "labels", "codes"),
    [
        (["b", "a", None], ("a", "b"), [1, 0, -1]),
        (np.array([2.0, np.nan, 1.0]), ("1", "2"), [1, -1, 0]),
        (np.array([True, False, True]), ("False", "True"), [1, 0, 1]),
        ([1, "a", None, 2.5], ("1", "2.5", "a"), [0, 2, -1, 1]),
        (pd.Series(["b", None, "a"], index=[7, 8, 9]), ("a", "b"), [1, -1, 0]),
        (pd.Series(["b", None, "a"], dtype="category"), ("a", "b"), [1, -1, 0]),
        (pd.Series([2, None, 1], dtype="Int64"), ("1", "2"), [1, -1, 0]),
        (pd.Series([True, None, False], dtype="boolean"), ("False", "True"), [1, -1, 0]),
        (pd.DataFrame([["x"], ["y"]], columns=[0]), ("x", "y"), [0, 1]),
        (pl.Series(["b", None, "a"]), ("a", "b"), [1, -1, 0]),
        (pl.Series(["b", None, "a"], dtype=pl.Categorical), ("a", "b"), [1, -1, 0]),
        (pl.DataFrame({"s": [2, None, 1]}), ("1", "2"), [1, -1, 0]),
        (
            np.array(["2021-01-01", "NaT", "2020-01-01"], dtype="datetime64[D]"),
            ("2020-01-01", "2021-01-01"),
            [1, -1, 0],
        ),
    ],
)
def test_containers_and_missing_values(values, labels, codes):
    groups = GroupEncoder().fit_transform(values)
    assert groups.labels == labels
    assert groups.codes.ravel().tolist() == codes
    assert groups.known.tolist() == [code >= 0 for code in codes]


def test_codes_saved_as_floats_are_the_same_groups():
    encoder = GroupEncoder().fit(np.array([1, 2]))
    assert encoder.transform(np.array([2.0, np.nan, 1.0])).codes.ravel().tolist() == [1, -1, 0]


def test_named_columns_are_matched_by_name():
    frame = pd.DataFrame({"sex": ["f", "m"], "race": ["x", "y"]})
    encoder = GroupEncoder().fit(frame)
    swapped = pl.DataFrame({"race": ["y", "x"], "sex": ["m", "f"]})
    assert encoder.transform(swapped).codes.ravel().tolist() == [1, 0]
    assert encoder.transform([["m", "y"]]).codes.ravel().tolist() == [1]
    with pytest.raises(ValueError, match="in fit they were"):
        encoder.transform(frame[["sex"]])
    with pytest.raises(ValueError, match="in fit they were"):
        encoder.transform(frame.rename(columns={"sex": "gender"}))


@pytest.mark.parametrize("groups", ["intersectional", "independent"])
def test_unseen_values(groups):
    encoder = GroupEncoder(groups=groups).fit([["f", "x"], ["m", "y"]])
    with pytest.raises(ValueError, match=r"'q'.*row 1.*was not seen in fit"):
        encoder.transform([["f", "x"], ["f", "q"]])
    codes = encoder.transform([["f", "q"]], unseen="unknown").codes.tolist()
    assert codes == ([[-1]] if groups == "intersectional" else [[0, -1]])


def test_unseen_combination_of_seen_values():
    encoder = GroupEncoder().fit([["f", "x"], ["m", "y"]])
    with pytest.raises(ValueError, match="not seen in fit"):
        encoder.transform([["f", "y"]])
    assert encoder.transform([["f", "y"]], unseen="unknown").codes.tolist() == [[-1]]
    independent = GroupEncoder(groups="independent").fit([["f", "x"], ["m", "y"]])
    assert independent.transform([["f", "y"]]).codes.tolist() == [[0, 1]]


def test_missing_is_known_in_the_other_family():
    rows = [["f", "x"], ["m", None], [None, "y"], [None, None]]
    groups = GroupEncoder(groups="independent").fit_transform(rows)
    assert groups.flat_codes().tolist() == [[0, 2], [1, -1], [-1, 3], [-1, -1]]
    assert groups.known.tolist() == [True, True, True, False]
    assert groups.family_of.tolist() == [0, 0, 1, 1]
    assert groups.indicators().toarray().tolist() == [
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
    ]
    assert groups.take(np.array([2, 0])).codes.tolist() == [[-1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.linspace(0, 1, 40), ValueError, "Bin it first"),
        (np.arange(40), ValueError, "convert them to strings"),
        ([None, None], ValueError, "missing"),
        ([["f", None], [None, "x"]], ValueError, "every group is unknown"),
        (np.zeros((2, 0)), ValueError, "no columns"),
        (np.zeros((2, 2, 2)), ValueError, "3 dimensions"),
        ("sex", TypeError, "sensitive_columns"),
        (None, TypeError, "one value"),
    ],
)
def test_bad_sensitive_features_are_explained(values, error, message):
    with pytest.raises(error, match=message):
        GroupEncoder().fit(values)


def test_constant_feature_is_refused_where_groups_are_compared():
    with pytest.raises(ValueError, match=r"race is constant.*'x'"):
        GroupEncoder(groups="independent").fit(
            pd.DataFrame({"sex": ["f", "m"], "race": ["x", "x"]})
        ).check_not_constant()


def test_rows_must_match():
    check_same_rows(X=np.zeros((2, 3)), y=[0, 1], sensitive_features=None)
    with pytest.raises(ValueError, match="X has 2 rows but y has 1"):
        check_same_rows(X=np.zeros((2, 3)), y=[0])
    with pytest.raises(ValueError, match="2 rows but the data has 3"):
        check_sensitive_features(["a", "b"], n_samples=3)


def test_optional_import_names_the_extra():
    with pytest.raises(ImportError, match=r"Drawing needs no_such_module.*fairsk\[plot\]"):
        import_optional("no_such_module.part", extra="plot", purpose="Drawing")


# One type, or numbers among text: True and 1 are the same value in Python, so no booleans.
values = st.lists(st.one_of(st.sampled_from("abc"), st.integers(0, 3), st.none()), min_size=1)


@given(values.filter(lambda v: any(x is not None for x in v)))
def test_codes_point_at_the_values(column):
    groups = GroupEncoder().fit_transform(column)
    found = [
        None if code < 0 else groups.families[0].values[code][0] for code in groups.codes[:, 0]
    ]
    assert found == column
