"""Flips of labels: how many, of whom, and to what."""

import numpy as np
import pytest

from fairsk.base import check_label_flips, make_label_flips
from fairsk.utils import check_sensitive_features


def flips_of(codes, groups, n_classes, **given):
    return make_label_flips(codes, n_classes, check_sensitive_features(groups), **given)


@pytest.fixture
def rows():
    """600 rows of 4 classes and 3 groups, 60 of unknown group."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, size=600)
    groups = np.repeat(np.array(["a", "b", "c"], dtype=object), 200)
    groups[::10] = None
    return codes, groups


@pytest.mark.parametrize("p", [0.0, 0.1, 0.255, 1.0])
def test_exactly_the_share_of_each_group(rows, p):
    codes, groups = rows
    flipped, where = flips_of(codes, groups, 4, p={"a": p, "b": 0.5}).draw(np.random.RandomState(0))
    changed = flipped != codes
    # A flipped label is always another one.
    np.testing.assert_array_equal(np.flatnonzero(changed), where)
    counts = [int(changed[groups == name].sum()) for name in ("a", "b", "c")]
    assert counts == [int(np.floor(180 * p + 0.5)), 90, 0]
    assert not changed[groups == None].any()  # noqa: E711
    assert flipped.min() >= 0 and flipped.max() <= 3


def test_one_number_and_one_group(rows):
    codes, groups = rows
    draw = flips_of(codes, groups, 4, p=0.5).draw(np.random.RandomState(0))
    assert len(draw[1]) == 270
    _, where = flips_of(codes, groups, 4, p=0.5, group="b").draw(np.random.RandomState(0))
    assert len(where) == 90 and set(groups[where]) == {"b"}


def test_other_classes_are_equally_likely():
    codes = np.repeat(np.arange(3), 3000)
    flipped, _ = flips_of(codes, np.zeros(9000), 3, p=1.0).draw(np.random.RandomState(0))
    counts = np.histogram2d(codes, flipped, bins=3)[0]
    assert (np.diag(counts) == 0).all()
    # Four standard errors of a count of 1,500 in 3,000 (27).
    np.testing.assert_allclose(counts[~np.eye(3, dtype=bool)], 1500, atol=110)


def test_to_the_classes_of_the_group():
    codes = np.array([0, 1, 2, 3, 4, 5] * 50)
    groups = np.where(codes < 3, "m", "f")
    flips = flips_of(codes, groups, 6, p={"m": 1.0}, to="group")
    flipped, _ = flips.draw(np.random.RandomState(0))
    assert set(flipped[groups == "m"]) == {0, 1, 2} and (flipped != codes)[groups == "m"].all()
    outside = flips_of(codes, groups, 6, p={"m": 1.0}).draw(np.random.RandomState(0))[0]
    assert set(outside[groups == "m"]) == set(range(6))


def test_rows_left_out_and_intersections():
    codes = np.tile([0, 1], 100)
    pairs = np.column_stack([np.repeat(["f", "m"], 100), np.tile(np.repeat(["x", "y"], 50), 2)])
    keep = np.arange(200) % 4 > 0
    flips = flips_of(codes, pairs, 2, p={("m", "y"): 1.0}, rows=keep)
    _, where = flips.draw(np.random.RandomState(0))
    expected = (np.arange(200) >= 150) & keep
    np.testing.assert_array_equal(where, np.flatnonzero(expected))
    # The printed name means the same.
    named = flips_of(codes, pairs, 2, p={"m, y": 1.0}, rows=keep)
    np.testing.assert_array_equal(named.shares, flips.shares)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"p": 1.5}, "share of labels to flip, a number from 0 to 1"),
        ({"p": -0.1}, "from 0 to 1"),
        ({"p": True}, "from 0 to 1"),
        ({"p": {"m": "half"}}, "from 0 to 1"),
        ({"p": {"m": 0.1}, "group": "m"}, "goes with one number"),
        ({"p": 0.1, "to": "male"}, "to must be one of"),
    ],
)
def test_bad_parameters(given, message):
    with pytest.raises(ValueError, match=message):
        check_label_flips(**{"group": None, "to": "any"} | given)


def test_bad_groups():
    codes = np.array([0, 0, 1, 1, 0])
    groups = ["m", "m", "f", "f", "f"]
    with pytest.raises(ValueError, match=r"p names the group 'x'.*\['f', 'm'\]"):
        flips_of(codes, groups, 2, p={"x": 0.1})
    with pytest.raises(ValueError, match="group names the group 'x'"):
        flips_of(codes, groups, 2, p=0.1, group="x")
    with pytest.raises(ValueError, match="Group 'm' has one class only"):
        flips_of(codes, groups, 2, p=0.5, to="group")
    # Not asked to flip anything there.
    assert flips_of(codes, groups, 2, p={"f": 0.5}, to="group").shares.tolist() == [0.5, 0.0]
