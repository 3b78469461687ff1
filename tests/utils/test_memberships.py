"""Sensitive features as membership indicators."""

import numpy as np
import pytest

from fairsk.utils import MembershipEncoder


def test_indicators_names_and_missing():
    rows = [[1, "x"], [0, "y"], [None, "z"], [1, None]]
    encoder = MembershipEncoder().fit(rows)
    assert encoder.names_ == (
        "sensitive_feature_0",
        "sensitive_feature_1=x",
        "sensitive_feature_1=y",
        "sensitive_feature_1=z",
    )
    expected = [[1, 1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 1], [1, -1, -1, -1]]
    assert encoder.transform(rows).tolist() == expected


@pytest.mark.parametrize("values", [[0.0, 1.0, np.nan], [False, True, None], [0, 1, 1]])
def test_zero_and_one_are_indicators(values):
    encoder = MembershipEncoder().fit(values)
    assert encoder.names_ == ("sensitive_feature_0",)
    assert encoder.transform(values)[:2, 0].tolist() == [0, 1]


def test_two_names_make_one_group():
    encoder = MembershipEncoder().fit(["b", "a", "b"])
    assert encoder.names_ == ("sensitive_feature_0=b",)
    assert encoder.transform(["a", "b", "new"])[:, 0].tolist() == [0, 1, 0]


def test_intersections_by_three_valued_logic():
    rows = np.array(
        [[a, b, c] for a in (0, 1, np.nan) for b in (0, 1, np.nan) for c in (0, 1)], dtype=float
    )
    encoder = MembershipEncoder(max_intersection=3).fit(rows)
    assert len(encoder.names_) == 3 + 3 + 1
    members = encoder.transform(rows)
    for name, parts, member in zip(encoder.names_, encoder.parts_, members.T, strict=True):
        assert name == " & ".join(f"sensitive_feature_{k}" for k in parts)
        for row, value in zip(rows[:, list(parts)], member, strict=True):
            expected = 0 if 0 in row else (-1 if np.isnan(row).any() else 1)
            assert value == expected


def test_values_of_one_column_do_not_intersect():
    encoder = MembershipEncoder(2).fit([["x", 0], ["y", 1], ["z", 1]])
    assert len(encoder.names_) == 4 + 3


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([None, None], "Every value of sensitive feature 'sensitive_feature_0' is missing"),
        (["a", "a"], "is constant: every known value is 'a'"),
        (np.linspace(0, 1, 50), "looks continuous"),
    ],
)
def test_bad_columns(values, match):
    with pytest.raises(ValueError, match=match):
        MembershipEncoder().fit(values)


def test_other_columns_than_in_fit():
    encoder = MembershipEncoder().fit([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="There are 1 sensitive features; in fit there were 2"):
        encoder.transform([0, 1])
    with pytest.raises(ValueError, match="must be 0, 1 or missing, as in fit"):
        encoder.transform([[0, 2], [1, 0]])
