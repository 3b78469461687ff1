"""The strategies that copies of A come from."""

import numpy as np
import pytest

pytest.importorskip("torch")

from fairsk.independence import KnownGaussianDensity
from fairsk.neural._resampling import make_copier
from fairsk.utils import SensitiveEncoder, check_sensitive_features


def copier_of(resampling, A, y, density=None, discrete=True, weight=None):
    features = check_sensitive_features(A)
    encoder = SensitiveEncoder().fit(features)
    copier = make_copier(resampling, density, encoder, discrete, 0)
    return copier.fit(features, y, weight), encoder.transform(features)


def mixed(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    A = np.empty((n, 2), dtype=object)
    A[:, 0] = np.where(rng.random(n) < 0.3 + 0.4 * y, "f", "m")
    A[:, 1] = list(rng.normal(size=n) + y)
    return A, y


@pytest.mark.parametrize("resampling", ["icp", "cp"])
def test_permutations_keep_the_rows_of_mixed_features(resampling):
    A, y = mixed()
    copier, codes = copier_of(resampling, A, y)
    first, second = copier.draw(), copier.draw()
    for copy in (first, second):
        np.testing.assert_array_equal(np.unique(copy, axis=0), np.unique(codes, axis=0))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, codes)


def test_draws_within_a_class_follow_its_frequencies():
    A, y = mixed(400)
    weight = np.where(A[:, 0] == "f", 3.0, 1.0)
    for given in (None, weight):
        copier, codes = copier_of("fdl", A, y, weight=given)
        share = np.mean([copier.draw()[:, 0] for _ in range(50)], axis=0)
        for label in (0, 1):
            rows = y == label
            expected = np.average(codes[rows, 0], weights=None if given is None else given[rows])
            # 50 draws of about 200 rows: a standard error of .005.
            assert share[rows].mean() == pytest.approx(expected, abs=0.02)
    other = copier.for_rows(check_sensitive_features(A[:30]), y[:30])
    assert other.draw().shape == (30, codes.shape[1])


def test_draws_from_a_density_for_a_continuous_target():
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    A = np.column_stack([y + rng.normal(size=300), rng.normal(size=300)])
    copier, codes = copier_of("fdl", A, y, discrete=False)
    copy = copier.draw()
    assert copy.shape == codes.shape
    # Correlation .7 with y in truth; a standard error of .03 each, and the flow's own error.
    assert np.corrcoef(copy[:, 0], y)[0, 1] == pytest.approx(
        np.corrcoef(codes[:, 0], y)[0, 1], abs=0.15
    )
    assert abs(np.corrcoef(copy[:, 0] - y, codes[:, 0] - y)[0, 1]) < 0.3

    groups = np.where(y + rng.normal(size=300) > 0, "a", "b")
    copier, codes = copier_of("fdl", groups, y, discrete=False)
    copy = copier.draw()
    assert set(copy.ravel()) == {0.0, 1.0}
    assert copy[y > 0].mean() == pytest.approx(codes[y > 0].mean(), abs=0.15)


def test_mixed_features_of_a_continuous_target_need_a_density():
    A, y = mixed()
    with pytest.raises(ValueError, match="some are numbers and some groups"):
        copier_of("fdl", A, y + np.random.default_rng(0).normal(size=len(y)), discrete=False)


def test_the_oracle_sees_features_and_target_in_their_own_units():
    rng = np.random.default_rng(0)
    A = 5 + 3 * rng.normal(size=200)
    y = 100 + 2 * A + rng.normal(size=200)
    seen = {}

    def mean(given):
        seen["mean"] = given.mean()
        return 100 + 2 * given[:, 0]

    copier, codes = copier_of("oracle", A, y, KnownGaussianDensity(mean, 1.0), discrete=False)
    assert seen["mean"] == pytest.approx(A.mean())
    # Y is all but a function of A here, so that a permutation given Y moves A little.
    assert np.corrcoef(copier.draw()[:, 0], codes[:, 0])[0, 1] > 0.95
