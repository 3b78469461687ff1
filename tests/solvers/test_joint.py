"""Probabilities of the cells against loops over rows, labels and groups."""

from __future__ import annotations

import numpy as np
import pytest
from _joint_samples import FAMILIES, joint_sample, random_weight
from naive_bayes_rule import naive_cells, naive_masses
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fairsk.solvers import JointProbabilities

N_ROWS = 41
KINDS = [
    pytest.param(aware, groups, unknown, id=f"{'aware' if aware else 'blind'}-{groups}-{unknown}")
    for aware, groups, unknown in [
        (True, "intersectional", 0.0),
        (True, "independent", 0.0),
        (True, "intersectional", 0.3),
        (True, "independent", 0.3),
        (False, "intersectional", 0.0),
        (False, "independent", 0.0),
    ]
]
# Sums of at most 41 products of numbers of order one, in another order.
ROUNDING = {"atol": 1e-13, "rtol": 1e-13}


def sample(aware, groups, unknown):
    joint = joint_sample(0, N_ROWS, aware=aware, groups=groups, unknown=unknown)
    return joint, sum(len(family) for family in FAMILIES[groups])


@pytest.mark.parametrize(("aware", "groups", "unknown"), KINDS)
def test_masses(aware, groups, unknown):
    joint, n_groups = sample(aware, groups, unknown)
    weight = random_weight(1, N_ROWS)
    expected = naive_masses(naive_cells(joint, n_groups), weight)
    assert_allclose(joint.masses(weight, n_groups), expected, **ROUNDING)
    if not unknown:
        # The groups of each family share all of the weight.
        assert_allclose(expected.sum(), len(FAMILIES[groups]), **ROUNDING)


@pytest.mark.parametrize(("aware", "groups", "unknown"), KINDS)
def test_basis(aware, groups, unknown):
    joint, n_groups = sample(aware, groups, unknown)
    coefficients = np.random.default_rng(2).normal(size=(3, 2, n_groups))
    cells = naive_cells(joint, n_groups)
    expected = np.zeros((N_ROWS, 3 * n_groups))
    for i in range(N_ROWS):
        for r in range(3):
            for a in range(n_groups):
                for y in (0, 1):
                    expected[i, r * n_groups + a] += coefficients[r, y, a] * cells[i, y, a]
    basis = joint.basis(coefficients)
    assert sparse.issparse(basis) == aware
    assert_allclose(basis.toarray() if aware else basis, expected, **ROUNDING)


@pytest.mark.parametrize(("aware", "groups", "unknown"), KINDS)
def test_weighted(aware, groups, unknown):
    joint, n_groups = sample(aware, groups, unknown)
    costs = np.random.default_rng(3).normal(size=(2, n_groups))
    cells = naive_cells(joint, n_groups)
    expected = np.zeros(N_ROWS)
    for i, eta in enumerate(joint.posterior):
        for y in (0, 1):
            for a in range(n_groups):
                expected[i] += costs[y, a] * cells[i, y, a]
            for family, members in enumerate(FAMILIES[groups]):
                if aware and joint.codes[i, family] < 0:
                    # The shares P(A = a | y) stand in for a group that is not known.
                    for a in members:
                        share = joint.marginal[family, y, a] * (eta if y else 1 - eta)
                        expected[i] += costs[y, a] * share
    assert_allclose(joint.weighted(costs), expected, **ROUNDING)


@pytest.mark.parametrize(("aware", "groups", "unknown"), KINDS)
def test_take_keeps_rows_together(aware, groups, unknown):
    joint, n_groups = sample(aware, groups, unknown)
    rows = np.array([7, 3, 3, 40])
    costs = np.random.default_rng(4).normal(size=(2, n_groups))
    some = joint.take(rows)
    assert len(some) == 4
    assert some.is_aware == aware
    assert_allclose(some.weighted(costs), joint.weighted(costs)[rows], **ROUNDING)


@pytest.mark.parametrize(("aware", "groups", "unknown"), KINDS)
def test_equal_keys_are_equal_rows(aware, groups, unknown):
    joint, _ = sample(aware, groups, unknown)
    rows = np.array([0, 5, 5, 9])
    keys = joint.keys(rows)
    assert_array_equal(keys[1], keys[2])
    assert len(np.unique(keys, axis=0)) == 3
    assert_array_equal(keys[:, 0], joint.posterior[rows])
    seen = joint.codes if aware else joint.conditional
    assert keys.shape == (4, 1 + seen[0].size)


def test_coarse_keys_leave_the_posterior_out():
    aware, _ = sample(True, "independent", 0.3)
    rows = np.arange(N_ROWS)
    assert_array_equal(aware.keys(rows, coarse=True), aware.codes)
    blind, _ = sample(False, "independent", 0.0)
    assert len(np.unique(blind.keys(rows, coarse=True), axis=0)) == 1


def test_needs_groups_in_one_form():
    with pytest.raises(ValueError, match="needs either conditional or codes"):
        JointProbabilities(np.array([0.5])).masses(np.ones(1), 2)
