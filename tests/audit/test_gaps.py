"""Intervals of gaps and of their changes cover what they should, whatever the signs."""

from __future__ import annotations

import numpy as np
import pytest

from fairsk.audit._gaps import GroupValues, gap_change, gap_interval

DRAWS = 1000


def sampled(truth, error, rng):
    """Values of a sample, with draws of their error, as a metric gives them."""
    truth, error = np.asarray(truth, float), np.asarray(error, float)
    estimate = truth + error * rng.standard_normal(len(truth))
    return GroupValues(estimate, estimate, error * rng.standard_normal((DRAWS, len(truth))))


# Equal groups, one gap, both signs, and a much noisier later split: where a gap's bias is largest.
CASES = [
    ((0.8, 0.8), (0.8, 0.8), 0.01, 0.05),
    ((0.8, 0.7), (0.7, 0.8), 0.01, 0.05),
    ((0.8, 0.7), (0.8, 0.7), 0.03, 0.01),
    ((0.8, 0.8, 0.7, 0.75), (0.8, 0.8, 0.8, 0.7), 0.02, 0.03),
    ((1.0, 1.0, 1.0), (0.8, 0.75, 0.7), 0.0, 0.03),
]


@pytest.mark.parametrize(("before", "after", "first", "second"), CASES)
def test_intervals_cover(before, after, first, second):
    rng = np.random.default_rng(0)
    true_gap = max(after) - min(after)
    true_change = true_gap - (max(before) - min(before))
    repeats, missed_gap, missed_change = 400, 0, 0
    for _ in range(repeats):
        earlier = sampled(before, np.full(len(before), first), rng)
        later = sampled(after, np.full(len(after), second), rng)
        _, low, high = gap_interval(later, confidence=0.9)
        # A gap of exactly zero is on the interval's closed end.
        missed_gap += not low - 1e-12 <= true_gap <= high
        change, low, high = gap_change(later, earlier, confidence=0.9)
        assert low <= change <= high
        missed_change += not low <= true_change <= high
    # 40 expected at most; 18 more are three standard errors of a share of 10 % in 400.
    assert missed_gap <= 58
    assert missed_change <= 58


def test_changes_of_the_same_rows_use_their_correlation():
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.01, size=(DRAWS, 2))
    before = GroupValues(np.array([0.8, 0.7]), np.array([0.8, 0.7]), noise)
    after = GroupValues(np.array([0.8, 0.65]), np.array([0.8, 0.65]), noise)
    change, low, high = gap_change(after, before, confidence=0.95)
    # The errors cancel, and gaps of seven standard errors leave no doubt about their signs.
    assert (change, low) == pytest.approx((0.05, 0.05))
    assert high == pytest.approx(0.05)


def test_undefined_groups_are_left_out():
    rng = np.random.default_rng(0)
    values = sampled((0.8, np.nan, 0.6), (0.01, 0.0, 0.01), rng)
    gap, low, high = gap_interval(values, confidence=0.95)
    assert low < 0.2 < high and gap == pytest.approx(abs(values.estimate[0] - values.estimate[2]))
    alone = sampled((0.8, np.nan, np.nan), (0.01, 0.0, 0.0), rng)
    assert np.isnan(gap_interval(alone, confidence=0.95)).all()
    assert np.isnan(gap_change(values, alone, confidence=0.95)).all()
