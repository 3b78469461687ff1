"""ParetoFront against a naive quadratic reference, and its readings."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsk.model_selection import ParetoFront

# Few levels, so that ties and duplicates are common.
LEVELS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, float("nan")])
POINTS = st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=25).filter(
    lambda points: any(a == a and b == b for a, b in points)
)


def dominated(point, others):
    return any(
        o >= point[0] and v <= point[1] and (o > point[0] or v < point[1]) for o, v in others
    )


def covered_area(points, objective, violation):
    """Area of the union of the points' rectangles, cell by cell of the grid they span."""
    xs = sorted({violation, *(v for _, v in points if v < violation)})
    ys = sorted({objective, *(o for o, _ in points if o > objective)})
    area = 0.0
    for left, right in pairwise(xs):
        for low, high in pairwise(ys):
            if any(v <= left and o >= high for o, v in points):
                area += (right - left) * (high - low)
    return area


@given(POINTS)
def test_front_is_what_no_point_dominates(points):
    objective, violation = np.array(points).T
    front = ParetoFront.from_arrays(objective, violation)
    finite = [p for p in points if p[0] == p[0] and p[1] == p[1]]
    expected = [i for i, p in enumerate(points) if p in finite and not dominated(p, finite)]
    assert sorted(front.indices) == expected
    assert front.n_undefined == len(points) - len(finite)
    assert (np.diff(front.points[:, 1]) >= 0).all()
    assert (np.diff(front.points[:, 0]) >= 0).all()
    # Every other candidate is dominated, none of the front is.
    assert front.dominates(objective, violation)[
        [i for i, p in enumerate(points) if p in finite and i not in expected]
    ].all()
    assert not front.dominates(*front.points.T).any()
    area = covered_area(finite, 0.05, 0.6)
    assert front.hypervolume(objective=0.05, violation=0.6) == pytest.approx(area, abs=1e-12)


@given(POINTS, st.sampled_from([0.0, 0.1, 0.3, 0.9]))
def test_within_and_knee_against_a_scan_of_all_points(points, tolerance):
    objective, violation = np.array(points).T
    front = ParetoFront.from_arrays(objective, violation)
    allowed = [o for o, v in points if o == o and v <= tolerance]
    if allowed:
        chosen = front.within(tolerance)
        assert objective[chosen] == max(allowed)
        assert violation[chosen] <= tolerance
    else:
        with pytest.raises(ValueError, match="the least is"):
            front.within(tolerance)
    # The knee is the highest point over the chord, here computed unscaled.
    (o_low, v_low), (o_high, v_high) = front.points[0], front.points[-1]
    if v_high > v_low:
        chord = o_low + (front.points[:, 1] - v_low) * (o_high - o_low) / (v_high - v_low)
        height = front.points[:, 0] - chord
        assert front.knee() in front.indices
        chosen = list(front.indices).index(front.knee())
        assert height[chosen] == pytest.approx(height.max(), abs=1e-12)


def results(accuracy, violation):
    """cv_results_ with two splits that differ by .02."""
    table = {"params": [{"C": i} for i in range(len(accuracy))]}
    for i, shift in enumerate((-0.01, 0.01)):
        table[f"split{i}_test_accuracy"] = np.array(accuracy) + shift
        table[f"split{i}_test_violation"] = np.array(violation) + shift
    return table


def test_from_cv_results():
    front = ParetoFront.from_cv_results(
        results([0.9, 0.8, np.nan, 0.7], [-0.2, -0.1, -0.1, -0.15]),
        objective="accuracy",
        violation="mean_test_violation",
    )
    assert front.indices.tolist() == [1, 0]
    assert front.n_undefined == 1
    np.testing.assert_allclose(front.points, [[0.8, 0.1], [0.9, 0.2]])
    # Two values that differ by .02: their standard deviation is .02 / sqrt(2), over sqrt(2).
    np.testing.assert_allclose(front.violation_error[[0, 1]], 0.01)
    assert front.params[1] == {"C": 1}
    assert "1 undefined left out" in repr(front)
    assert pickle.loads(pickle.dumps(front)).indices.tolist() == [1, 0]


def test_ratios_become_one_minus_ratio():
    front = ParetoFront.from_cv_results(
        results([0.9, 0.8], [0.7, 0.85]),
        objective="accuracy",
        violation="violation",
        measure="ratio",
    )
    np.testing.assert_allclose(front.violation, [0.3, 0.15])


def test_to_frame_and_html():
    pandas = pytest.importorskip("pandas")
    front = ParetoFront.from_arrays([0.9, 0.8], [0.2, 0.1], params=[{"a": "<b>"}, {"a": 2}])
    frame = front.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.index.tolist() == [1, 0]
    assert frame["objective"].tolist() == [0.8, 0.9]
    assert "&lt;b&gt;" in front._repr_html_()


def test_bad_input():
    with pytest.raises(ValueError, match="all are NaN"):
        ParetoFront.from_arrays([np.nan], [0.1])
    with pytest.raises(ValueError, match=r"lengths \[2, 1, 2, 2, 2\]"):
        ParetoFront.from_arrays([0.1, 0.2], [0.1])
    table = results([0.9, 0.8], [0.7, 0.85])
    with pytest.raises(ValueError, match="use measure='ratio'"):
        ParetoFront.from_cv_results(table, objective="accuracy", violation="violation")
    with pytest.raises(ValueError, match="no test score 'f1'"):
        ParetoFront.from_cv_results(table, objective="f1", violation="violation")
    with pytest.raises(ValueError, match="measure must be"):
        ParetoFront.from_cv_results(
            table, objective="accuracy", violation="violation", measure="log"
        )
