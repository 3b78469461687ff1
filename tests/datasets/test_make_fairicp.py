"""The simulations of the FairICP paper have the laws that they state."""

import numpy as np
import pytest
from scipy.stats import kstest

from fairsk.datasets import make_fairicp_permutation, make_fairicp_simulation


@pytest.mark.parametrize(("n_relevant", "n_noise"), [(1, 0), (3, 2)])
def test_target_given_sensitive_features(n_relevant, n_noise):
    data = make_fairicp_permutation(
        5000, n_relevant=n_relevant, n_noise=n_noise, omega=0.6, sigma=0.5, random_state=0
    )
    assert data.target_scale == pytest.approx(np.sqrt(0.25 + 0.4 * n_relevant))
    assert np.count_nonzero(data.target_coef) == n_relevant
    residual = data.target - data.sensitive_features @ data.target_coef
    # Normal with the stated scale, and uncorrelated with each column to four standard errors.
    assert kstest(residual / data.target_scale, "norm").pvalue > 1e-3
    for column in data.sensitive_features.T:
        assert abs(np.corrcoef(column, residual)[0, 1]) < 4 / np.sqrt(5000)


def test_covariance_of_the_sensitive_features():
    data = make_fairicp_permutation(40_000, n_noise=2, random_state=0)
    np.testing.assert_allclose(np.linalg.eigvalsh(data.theta_root), [1.0, 3.0, 5.0])
    # Mean .55 and second moment 1.01 of the mixture of exponentials.
    covariance = (1.01 - 0.55**2) * data.theta_root @ data.theta_root
    found = np.cov(data.sensitive_features.T)
    # The variables are skewed: a relative error of a few per cent at 40,000 rows.
    np.testing.assert_allclose(found, covariance, atol=0.05 * covariance.max())


@pytest.mark.parametrize(("simulation", "width", "n_columns"), [(1, 4, 8), (2, 5, 2)])
def test_simulations(simulation, width, n_columns):
    data = make_fairicp_simulation(
        4000, simulation=simulation, n_dimensions=4, omega=0.9, sigma=0.7, random_state=1
    )
    assert data.data.shape == (4000, n_columns) and data.sensitive_features.shape == (4000, width)
    assert kstest((data.target - data.data.sum(axis=1)) / 0.7, "norm").pvalue > 1e-3
    residual = data.target - data.sensitive_features @ data.target_coef
    assert kstest(residual / data.target_scale, "norm").pvalue > 1e-3
    assert data.target_scale == pytest.approx(np.sqrt(0.49 + data.n_relevant * 1.1))


def test_seeds_of_problem_and_sample():
    a, b = (make_fairicp_simulation(50, n_dimensions=3, random_state=s) for s in (0, 1))
    np.testing.assert_array_equal(a.theta_root, b.theta_root)
    assert not np.array_equal(a.target, b.target)
    again = make_fairicp_simulation(50, n_dimensions=3, random_state=0)
    np.testing.assert_array_equal(a.data, again.data)
    other = make_fairicp_simulation(50, n_dimensions=3, theta_state=1, random_state=0)
    assert not np.allclose(a.theta_root, other.theta_root)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"simulation": 3}, "simulation must be 1 or 2, got 3"),
        ({"omega": 1.2}, "omega == 1.2"),
        ({"sigma": 0.0}, "sigma == 0"),
        ({"n_dimensions": 0}, "n_dimensions == 0"),
    ],
)
def test_settings_that_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_fairicp_simulation(10, **settings)
