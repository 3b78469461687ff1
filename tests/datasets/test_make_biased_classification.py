from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from fairsk.datasets import make_biased_classification

SETTINGS = [
    {},
    {"n_groups": 3, "n_features": 2, "bias": -3.0, "group_imbalance": 0.6},
    {"n_groups": (2, 3), "n_features": 5, "group_imbalance": 0.3, "group_sep": 2.0},
    {"n_groups": (2, 2, 2), "n_features": 3, "class_sep": 0.5},
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_shapes_and_identities(setting):
    data = make_biased_classification(317, **setting, random_state=1, return_probabilities=True)
    K = int(np.prod(setting.get("n_groups", 2)))
    assert data.data.shape == (317, setting.get("n_features", 4)) == (317, len(data.feature_names))
    assert data.joint_probabilities.shape == (317, 2, K)
    assert data.masses.shape == (2, K)
    assert data.groups.shape == (K, len(data.sensitive_feature_names))
    assert set(data.target) == {0, 1}
    np.testing.assert_array_equal(data.groups[data.group], data.sensitive_features)
    # Sums of at most 16 rounded numbers below one.
    np.testing.assert_allclose(data.joint_probabilities.sum(axis=(1, 2)), 1, atol=1e-14)
    np.testing.assert_allclose(data.masses.sum(), 1, atol=1e-14)
    np.testing.assert_allclose(data.group_probabilities, data.joint_probabilities.sum(axis=1))
    own = data.joint_probabilities[np.arange(317), :, data.group]
    np.testing.assert_allclose(data.posterior, own[:, 1] / own.sum(axis=1), rtol=1e-12)

    X, y, sensitive = make_biased_classification(317, **setting, random_state=1)
    np.testing.assert_array_equal(X, data.data)
    np.testing.assert_array_equal(y, data.target)
    np.testing.assert_array_equal(sensitive, data.sensitive_features)


def test_bayes_rule_written_out():
    """Densities from scipy and the means of the docstring's formula, cell by cell."""
    bias, class_sep, group_sep = 1.3, 1.7, 0.9
    data = make_biased_classification(
        53,
        n_groups=(2, 3),
        n_features=4,
        bias=bias,
        group_imbalance=0.25,
        class_sep=class_sep,
        group_sep=group_sep,
        random_state=2,
        return_probabilities=True,
    )
    weight = {}
    for a in range(2):
        for b in range(3):
            spread = (a - 0.5, b / 2 - 0.5)
            rate = 1 / (1 + np.exp(-bias * (spread[0] + spread[1]) / 2))
            share = 0.75**a / (1 + 0.75) * 0.75**b / (1 + 0.75 + 0.75**2)
            for y in range(2):
                mean = [(y - 0.5) * class_sep, group_sep * spread[0], group_sep * spread[1], 0]
                prior = share * (rate if y else 1 - rate)
                weight[y, 3 * a + b] = prior * multivariate_normal(mean).pdf(data.data)
                assert data.masses[y, 3 * a + b] == pytest.approx(prior, rel=1e-12)
    total = sum(weight.values())
    for (y, k), value in weight.items():
        # Two ways to the same number in double precision; densities here are above 1e-12.
        np.testing.assert_allclose(data.joint_probabilities[:, y, k], value / total, rtol=1e-9)


@pytest.mark.parametrize("setting", SETTINGS)
def test_probabilities_are_calibrated(setting):
    """In each bin of a predicted probability the frequency is its mean, within 4 standard errors.

    Up to 16 cells with 10 bins: at 4 standard errors a right answer fails one seed in a hundred,
    and the seed is fixed. An error of 2 % in a probability of .1 would show at 100,000 rows.
    """
    n = 100_000
    data = make_biased_classification(n, **setting, random_state=3, return_probabilities=True)
    K = data.masses.shape[1]
    checks = [
        (data.joint_probabilities[:, y, k], (data.target == y) & (data.group == k))
        for y in range(2)
        for k in range(K)
    ]
    checks += [(data.group_probabilities[:, k], data.group == k) for k in range(K)]
    checks += [(data.posterior[data.group == k], data.target[data.group == k]) for k in range(K)]
    for probability, event in checks:
        for rows in np.array_split(np.argsort(probability, kind="stable"), 10):
            p = probability[rows]
            if p.sum() < 20 or (1 - p).sum() < 20:
                continue  # too few events for the normal approximation
            error = np.sqrt((p * (1 - p)).sum()) / len(rows)
            assert abs(event[rows].mean() - p.mean()) < 4 * error


def test_masses_are_those_of_the_sample():
    n = 100_000
    data = make_biased_classification(
        n, n_groups=4, group_imbalance=0.5, random_state=4, return_probabilities=True
    )
    for y in range(2):
        for k in range(4):
            p = data.masses[y, k]
            seen = ((data.target == y) & (data.group == k)).mean()
            assert abs(seen - p) < 4 * np.sqrt(p * (1 - p) / n)
    # Each level is half as frequent as the one before it.
    np.testing.assert_allclose(data.masses.sum(axis=0), np.array([8, 4, 2, 1]) / 15)


def test_bias_is_the_log_odds_ratio_of_the_extreme_groups():
    for n_groups in (2, 3, (2, 3)):
        masses = make_biased_classification(
            2, n_groups=n_groups, bias=1.5, return_probabilities=True, random_state=0
        ).masses
        log_odds = np.log(masses[1] / masses[0])
        assert log_odds[-1] - log_odds[0] == pytest.approx(1.5)


def test_without_bias_the_group_does_not_matter():
    data = make_biased_classification(
        200, n_groups=3, bias=0.0, random_state=5, return_probabilities=True
    )
    joint = data.joint_probabilities
    # P(y, a | x) = P(y | x) P(a | x): label and group are independent given x.
    product = joint.sum(axis=2)[:, :, None] * joint.sum(axis=1)[:, None, :]
    np.testing.assert_allclose(joint, product, rtol=1e-10)


def test_far_out_points_have_finite_probabilities():
    data = make_biased_classification(
        500,
        bias=2_000.0,
        class_sep=500.0,
        group_sep=500.0,
        random_state=6,
        return_probabilities=True,
    )
    for name in ("joint_probabilities", "posterior", "masses"):
        assert np.isfinite(data[name]).all()


def test_seed_decides_the_sample_only():
    first, again, other = (
        make_biased_classification(50, random_state=s, return_probabilities=True) for s in (7, 7, 8)
    )
    np.testing.assert_array_equal(first.data, again.data)
    assert not np.array_equal(first.data, other.data)
    np.testing.assert_array_equal(first.masses, other.masses)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"n_groups": 1}, "n_groups must be an int of at least 2"),
        ({"n_groups": ()}, "n_groups must be"),
        ({"n_groups": (2, 2.5)}, "n_groups must be"),
        ({"n_samples": 0}, "n_samples"),
        ({"n_features": 1}, "n_features"),
        ({"group_imbalance": 1.0}, "group_imbalance"),
        ({"bias": float("nan")}, "bias must be finite"),
    ],
)
def test_bad_arguments(argument, message):
    with pytest.raises(ValueError, match=message):
        make_biased_classification(**argument)
