"""The search between too loose and too tight."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fairsk.base import BracketSearch


def two_sided(value, bound=0.1):
    """Excesses of one constraint |value| <= bound."""
    return np.array([[value - bound], [-value - bound]])


@pytest.mark.parametrize("power", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("overshoot", [0.0, 0.5])
def test_converges_on_a_monotone_response(power, overshoot):
    """The violation falls from 0.6 through zero, and on, as the point goes from 0 to 1."""

    def response(t):
        return 0.6 - (0.6 + overshoot) * t**power

    search = BracketSearch(-0.005, 0.0)
    for point in (np.zeros(2), np.ones(2)):
        search.add(point, two_sided(response(point[0])))
    for _ in range(12):
        point = search.between()
        assert 0 < point[0] < 1
        excesses = two_sided(response(point[0]))
        if search.accepts(excesses):
            break
        search.add(point, excesses)
    assert 0.095 <= response(point[0]) <= 0.1


def test_opposite_limit_is_not_accepted():
    search = BracketSearch(-0.01, 0.0)
    assert search.accepts(two_sided(-0.095))
    search.add(np.zeros(1), two_sided(0.5))
    assert search.accepts(two_sided(0.095))
    # As near to a limit, but past parity: it has paid for a correction that was not asked for.
    assert not search.accepts(two_sided(-0.095))
    search.add(np.ones(1), two_sided(-0.095))
    assert_allclose(search.between(), 0.405 / 0.595)  # from 0.5 to 0.095, the middle aimed at


def test_one_end_alone_proposes_nothing():
    search = BracketSearch(-0.01, 0.0)
    search.add(np.zeros(1), two_sided(0.5))
    assert search.between() is None
    search.add(np.ones(1), two_sided(0.3))
    assert search.between() is None


def test_another_constraint_violated_is_not_too_tight():
    search = BracketSearch(-0.01, 0.0)
    search.add(np.zeros(1), np.array([[0.3, -0.1], [-0.5, -0.1]]))
    search.add(np.ones(1), np.array([[-0.1, 0.2], [-0.1, -0.4]]))
    assert search.between() is None
    # The opposite side of what the loose end violates is.
    search.add(np.full(1, 2.0), np.array([[-0.1, -0.4], [-0.1, 0.2]]))
    assert_allclose(search.between(), 1.34, atol=0.01)  # 0.205 / (0.205 + 0.395) of the way


def test_point_that_could_not_be_tried_halves_the_way():
    search = BracketSearch(-0.01, 0.0)
    search.add(np.zeros(1), two_sided(0.5))
    search.add_too_tight(np.ones(1))
    assert_allclose(search.between(), 0.5)
