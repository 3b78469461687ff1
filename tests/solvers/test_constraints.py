"""Bounds and what their multipliers may be."""

import numpy as np

from fairsk.solvers._constraints import Constraints


def test_no_multiplier_prices_a_bound_that_is_not_there():
    limits = Constraints(np.eye(3), np.array([-np.inf, -1.0, -1.0]), np.array([1.0, np.inf, 1.0]))
    # Rounding errors of the wrong sign on the one-sided rows.
    multipliers = limits.admissible(np.array([-1e-17, 1e-17, -0.5]))
    np.testing.assert_array_equal(multipliers, [0.0, 0.0, -0.5])
    assert limits.support(multipliers) == 0.5
