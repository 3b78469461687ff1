"""The test of equalized odds: validity, power, several models, every kind of prediction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.frozen import FrozenEstimator

from fairsk.independence import (
    DensityMisfitWarning,
    EqualizedOddsTest,
    HeteroscedasticGaussianDensity,
    InverseConditionalPermutation,
    KnownGaussianDensity,
    LinearGaussianDensity,
    equalized_odds_kpc,
    equalized_odds_test,
    hgr_correlation,
)
from fairsk.independence._test_results import adjust_max, permutation_pvalues
from fairsk.metrics import deo
from fairsk.utils import adjust_holm

ORACLE = FrozenEstimator(KnownGaussianDensity(lambda a: a.sum(axis=1), 1.0))


def simulate(seed, *, n=120, strength=0.0, discrete=False):
    """y follows A; the prediction follows y, and A by ``strength``."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, 2))
    y = A.sum(axis=1) + rng.normal(size=n)
    if discrete:
        y = (y > 0).astype(int)
    return A, y, y + strength * A[:, 0] + rng.normal(size=n)


@pytest.mark.parametrize("discrete", [True, False])
def test_type_one_error_and_power(discrete):
    """Exact copies: rejections at .1 of fair models are binomial; unfair ones are found."""
    settings = {"n_permutations": 19, "check_density": False}
    settings |= {} if discrete else {"density": ORACLE, "n_steps": 20}
    rejected = {}
    for strength in (0.0, 1.5):
        rejected[strength] = 0
        for seed in range(60):
            A, y, output = simulate(seed, strength=strength, discrete=discrete)
            result = equalized_odds_test(
                y, output, sensitive_features=A, random_state=seed, **settings
            )
            rejected[strength] += result.reject(0.1)
    # Exceeded with probability .001 if the level holds; the printed p-value rejects none of the
    # unfair models.
    assert rejected[0.0] <= binom.ppf(0.999, 60, 0.1)
    assert rejected[1.5] >= 40


def test_pvalue_counts_copies_at_least_as_large():
    permuted = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert permutation_pvalues(np.array([5.0]), permuted) == [1 / 5]
    assert permutation_pvalues(np.array([3.0 + 1e-13]), permuted) == [3 / 5]  # a rounded tie
    assert permutation_pvalues(np.array([0.0]), permuted) == [1]
    A, y, output = simulate(0, strength=2.0, discrete=True)
    result = equalized_odds_test(y, output, sensitive_features=A, random_state=0)
    assert isinstance(result, EqualizedOddsTest) and result.n_permutations == 100
    count = (result.permuted_statistics >= result.statistic).sum()
    assert result.pvalue == (1 + count) / 101 <= 0.05
    assert result.reject(0.05) and not result.reject(0.001)
    assert result.statistic == equalized_odds_kpc(y, output, sensitive_features=A)
    again = equalized_odds_test(y, output, sensitive_features=A, random_state=0)
    np.testing.assert_array_equal(again.permuted_statistics, result.permuted_statistics)


def test_statistics_are_the_public_functions():
    rng = np.random.default_rng(1)
    n = 400
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], n), "race": rng.integers(0, 3, n)})
    y, labels = rng.choice(["no", "yes"], (2, n))
    probability = rng.random(n)
    settings = {"sensitive_features": frame, "n_permutations": 5, "random_state": 0}

    def kpc(y_pred, A, y):
        return equalized_odds_kpc(y, y_pred, sensitive_features=A)

    for output in (labels, probability, np.column_stack([probability, 1 - probability])):
        named = equalized_odds_test(y, output, **settings)
        custom = equalized_odds_test(y, output, statistic=kpc, **settings)
        assert custom.statistic_name == "kpc"
        # Copies are made the same; cells are summed in another order.
        np.testing.assert_allclose(
            custom.permuted_statistics, named.permuted_statistics, atol=1e-12
        )
    result = equalized_odds_test(y, labels, statistic="deo", **settings)
    # Sums in another order.
    assert result.statistic == pytest.approx(deo(y, labels, sensitive_features=frame), abs=1e-12)
    result = equalized_odds_test(y, probability, statistic="hgr", **settings)
    expected = hgr_correlation(probability, frame, given=y)
    assert result.statistic == pytest.approx(expected, abs=1e-12)


def test_several_models_share_copies_and_are_corrected():
    A, y, fair = simulate(2, n=300, discrete=True)
    models = {"fair": fair, "also fair": -fair, "unfair": fair + 2 * A[:, 1]}
    settings = {"sensitive_features": A, "random_state": 0, "n_permutations": 99}
    tests = equalized_odds_test(y, models, **settings)
    alone = equalized_odds_test(y, fair, **settings)
    np.testing.assert_array_equal(tests["fair"].permuted_statistics, alone.permuted_statistics)
    # The same likeness of the same predictions mirrored, in another order of summation.
    assert tests["also fair"].pvalue == pytest.approx(tests["fair"].pvalue, abs=0.02)
    assert tests.reject(0.05) == {"fair": False, "also fair": False, "unfair": True}
    assert tests.adjusted_pvalues["unfair"] == pytest.approx(0.03)
    largest = equalized_odds_test(y, models, correction="max", **settings)
    assert largest.adjusted_pvalues["unfair"] == pytest.approx(0.01)
    assert largest.adjusted_pvalues["fair"] >= tests.pvalue["fair"]
    listed = equalized_odds_test(y, list(models.values()), **settings)
    assert list(listed.results) == ["model_0", "model_1", "model_2"]
    assert list(listed.statistic.values()) == list(tests.statistic.values())
    assert "unfair" in str(tests) and "Adjusted for 3 models (Holm)" in str(tests)
    assert len(tests) == 3


def test_corrections():
    # Holm by hand: 3 x .01, 2 x .02, and .5, each at least the one before.
    np.testing.assert_allclose(adjust_holm(np.array([0.5, 0.01, 0.02])), [0.5, 0.03, 0.04])
    rng = np.random.default_rng(0)
    statistics = rng.normal(size=(4, 200)) * np.array([[1], [10], [0.1], [1]])
    statistics[1, 0] = 100
    adjusted = adjust_max(statistics)
    single = permutation_pvalues(statistics[:, 0], statistics[:, 1:])
    assert (adjusted >= single).all() and adjusted[1] == 1 / 200
    # The largest remaining model is compared with its own copies alone only when it is the last.
    assert adjusted.max() == max(adjusted.max(), single.max())
    # Copies of one model need no correction.
    np.testing.assert_allclose(adjust_max(np.tile(statistics[:1], (3, 1))), single[0])


def test_family_wise_error_of_fair_models():
    """Ten fair models at once, tested at .1: any rejection is an error of the family."""
    errors = {"holm": 0, "max": 0}
    for seed in range(50):
        rng = np.random.default_rng(seed)
        y, A = rng.integers(0, 2, 60), rng.normal(size=60)
        models = {str(j): y + rng.normal(size=60) for j in range(5)}
        for correction in errors:
            tests = equalized_odds_test(
                y, models, sensitive_features=A, correction=correction, n_permutations=59,
                random_state=seed,
            )  # fmt: skip
            errors[correction] += any(tests.reject(0.1).values())
    # Exceeded with probability .001 if the level holds.
    assert max(errors.values()) <= binom.ppf(0.999, 50, 0.1)


def test_ways_to_give_a_density():
    A, y, output = simulate(3, n=200, strength=2.0)
    train_A, train_y, _ = simulate(4, n=300)
    settings = {"sensitive_features": A, "n_permutations": 19, "n_steps": 10, "random_state": 0}
    linear = LinearGaussianDensity()
    fitted = InverseConditionalPermutation(linear, n_steps=10, random_state=0).fit(train_A, train_y)
    results = [
        equalized_odds_test(y, output, density=linear, **settings),
        equalized_odds_test(y, output, density=linear, cv=None, **settings),
        equalized_odds_test(y, output, density=linear, density_data=(train_y, train_A), **settings),
        equalized_odds_test(y, output, density=ORACLE, **settings),
        equalized_odds_test(y, output, resampling=fitted, **settings),
        equalized_odds_test(
            y, output, resampling=InverseConditionalPermutation(linear, cv=5), **settings
        ),
        equalized_odds_test(y, output, resampling="cp", **settings),
    ]
    for result in results:
        assert result.pvalue == 1 / 20
        assert result.density_check is not None and result.density_check.pvalue > 0.01
        assert "passes the check" in str(result)
    assert results[-1].resampling == "cp" and results[0].resampling == "icp"
    result = equalized_odds_test(y, output, density=linear, check_density=False, **settings)
    assert result.density_check is None and "was not checked" in str(result)


def test_few_rows_of_a_continuous_label_get_a_gaussian():
    A, y, output = simulate(3)
    settings = {"sensitive_features": A, "n_permutations": 9, "random_state": 0}
    default = equalized_odds_test(y, output, **settings)
    gaussian = equalized_odds_test(y, output, density=HeteroscedasticGaussianDensity(), **settings)
    np.testing.assert_array_equal(default.permuted_statistics, gaussian.permuted_statistics)


def test_a_density_that_does_not_fit_is_reported():
    rng = np.random.default_rng(5)
    A = rng.normal(size=400)
    y = A**2 + 0.3 * rng.normal(size=400)
    with pytest.warns(DensityMisfitWarning, match="the test rejects fair models too often"):
        result = equalized_odds_test(
            y, y + rng.normal(size=400), sensitive_features=A, density=LinearGaussianDensity(),
            n_permutations=9, random_state=0,
        )  # fmt: skip
    assert "WARNING: its density does not fit" in str(result)


def test_copies_stay_within_the_label_and_missing_rows_are_left_out():
    rng = np.random.default_rng(6)
    y = rng.choice(["a", "b", "c"], 90)
    A = pd.Series(np.where(rng.random(90) < 0.2, None, rng.choice(["f", "m"], 90)), name="sex")
    by_label = {c: sorted(A[(y == c) & A.notna()]) for c in "abc"}
    seen = []

    def watch(y_pred, sex, label):
        seen.append(sex.tolist())
        assert isinstance(sex, pd.Series) and len(sex) == len(label) == A.notna().sum()
        assert {c: sorted(sex[label == c]) for c in "abc"} == by_label
        return 0.0

    result = equalized_odds_test(
        y, rng.random(90), sensitive_features=A, statistic=watch, n_permutations=7, random_state=0
    )
    assert result.n_missing == A.isna().sum() and result.n_rows == A.notna().sum()
    assert result.pvalue == 1
    assert seen[0] == A.dropna().tolist() and len(set(map(tuple, seen))) == 8
    assert "left out" in str(result)


def test_constant_predictions_are_fair():
    A, y, _ = simulate(7, discrete=True)
    result = equalized_odds_test(y, np.full(120, 0.4), sensitive_features=A, random_state=0)
    assert result.pvalue == 1 and result.statistic == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"statistic": "mmd"}, "statistic must be one of"),
        ({"statistic_options": {"n_grid": 9}}, "takes the options"),
        ({"statistic": lambda u, a, y: np.nan}, "must return a finite number"),
        ({"statistic": "deo"}, "two labels and one decision a row|looks continuous"),
        ({"resampling": "bootstrap"}, "resampling must be one of"),
        ({"density": LinearGaussianDensity(), "resampling": "within_label"}, "has no density"),
        ({"y_true": np.linspace(0, 1, 60), "resampling": "within_label"}, "needs labels"),
        ({"density_data": [1, 2, 3]}, r"must be a tuple \(y, sensitive_features\)"),
        ({"correction": "bonferroni"}, "correction must be one of"),
        ({"n_permutations": 0}, "n_permutations must be a positive integer"),
        ({"y_true": np.zeros(60)}, "constant"),
        ({"sensitive_features": np.zeros(60)}, "constant"),
        ({"sensitive_features": np.arange(59)}, "has 60 rows but sensitive_features has 59"),
        ({"y_pred": {"a": np.arange(59)}}, r"rows but y_pred\['a'\] has 59"),
        ({"y_pred": {}}, "empty dict"),
        ({"y_pred": np.r_[np.nan, np.arange(59)]}, "y_pred has missing or infinite values"),
        ({"sensitive_features": [None] * 51 + [*range(9)]}, "at least 10"),
        ({"statistic_options": {"n_neighbors": 60}}, "needs at least 61 rows"),
    ],
)
def test_bad_input(changes, message):
    rng = np.random.default_rng(0)
    arguments = {
        "y_true": rng.integers(0, 2, 60),
        "y_pred": rng.random(60),
        "sensitive_features": rng.normal(size=60),
    }
    with pytest.raises(ValueError, match=message):
        equalized_odds_test(**(arguments | changes))


def test_level_is_checked():
    A, y, output = simulate(8, discrete=True)
    result = equalized_odds_test(y, output, sensitive_features=A, n_permutations=9)
    with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\)"):
        result.reject(5)
