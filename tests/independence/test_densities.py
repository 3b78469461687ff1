"""Densities without a network: right likelihoods, conditionals, samples, weights and errors."""

import warnings

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, norm
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from fairsk.datasets import make_fairicp_permutation
from fairsk.independence import (
    ClassifierDensity,
    Conditional,
    CrossValidatedDensity,
    ExponentialFamilyConditional,
    GaussianConditional,
    HeteroscedasticGaussianDensity,
    InverseConditionalPermutation,
    KnownGaussianDensity,
    LinearGaussianDensity,
    TableConditional,
    cross_fit_conditional,
    default_density,
    density_check,
)
from fairsk.independence._cross_fit import StackedConditional, stack_conditionals
from fairsk.independence._mixture_density import MixtureConditional


def linear_data(n=400, d=3, seed=0):
    rng = np.random.default_rng(seed)
    given = rng.normal(size=(n, d))
    return given, 50 + given @ np.arange(1.0, d + 1) + 0.7 * rng.normal(size=n)


def class_data(n=600, seed=0):
    rng = np.random.default_rng(seed)
    given = rng.normal(size=(n, 2))
    scores = np.column_stack([given[:, 0], -given[:, 0], given[:, 1]])
    return given, np.array(["u", "v", "w"])[(scores + rng.gumbel(size=(n, 3))).argmax(axis=1)]


CONTINUOUS = [
    LinearGaussianDensity(),
    LinearGaussianDensity(penalty="lasso"),
    HeteroscedasticGaussianDensity(),
    HeteroscedasticGaussianDensity(LinearRegression(), HistGradientBoostingRegressor(max_iter=3)),
    KnownGaussianDensity(lambda a: 50 + a @ [1.0, 2.0, 3.0], 0.7),
]


@pytest.mark.parametrize("density", CONTINUOUS)
def test_continuous_densities_find_the_truth(density):
    given, target = linear_data()
    new, new_target = linear_data(seed=1)
    fitted = clone(density).fit(given, target)
    truth = norm.logpdf(new_target, 50 + new @ [1.0, 2.0, 3.0], 0.7)
    # Each coefficient costs 1 / (2 n) nats in expectation; .05 leaves room for ten of them and
    # for the variance model.
    assert fitted.log_prob(new, new_target).mean() > truth.mean() - 0.05
    # It is a density: it integrates to one (the grid's step is a hundredth of a deviation).
    grid = np.arange(20.0, 80.0, 0.007)
    one = fitted.condition(new[:1])
    mass = np.exp(one.log_prob(grid, np.zeros(len(grid), dtype=int))).sum() * 0.007
    assert mass == pytest.approx(1.0, abs=1e-6)
    # Samples are from it.
    many = np.repeat(new[:1], 4000, axis=0)
    drawn = fitted.sample(many, random_state=0)
    assert kstest(drawn, norm(one.mean[0], one.scale[0]).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(drawn, fitted.sample(many, random_state=0))


@pytest.mark.parametrize(
    ("density", "slack"),
    [
        (LinearGaussianDensity(), 1e-9),
        (LinearGaussianDensity(covariance="ledoit_wolf"), 1e-9),
        # The LASSO shrinks the coefficients, too.
        (LinearGaussianDensity(covariance="graphical_lasso"), 1e-9),
    ],
)
@pytest.mark.parametrize(("d", "k"), [(1, 3), (4, 2)])
def test_multivariate_gaussian(density, slack, d, k):
    rng = np.random.default_rng(0)
    given = rng.normal(size=(300, d))
    target = given @ rng.normal(size=(d, k)) + rng.normal(size=(300, k)) @ rng.normal(size=(k, k))
    fitted = density.fit(given, target)
    means = fitted.intercept_ + given @ fitted.coef_.T
    literal = np.array(
        [
            multivariate_normal(mean, fitted.covariance_).logpdf(y)
            for mean, y in zip(means[:20], target[:20], strict=True)
        ]
    )
    np.testing.assert_allclose(fitted.log_prob(given[:20], target[:20]), literal, atol=slack * 1e3)
    # The reduced statistics give the log-odds of the full density.
    conditional = fitted.condition(given)
    i, j = rng.permutation(300)[:200].reshape(2, 100)
    fast = conditional.log_odds(target, i, j, i, j)
    slow = Conditional.log_odds(conditional, target, i, j, i, j)
    np.testing.assert_allclose(fast, slow, atol=1e-8)
    assert conditional.statistics(target).shape[1] == min(d, k)
    assert fitted.sample(given, random_state=0).shape == target.shape


def test_graphical_lasso_where_the_chosen_penalty_is_too_small():
    # scikit-learn's solver stops with an error at the penalty that its folds choose here.
    data = make_fairicp_permutation(200, n_relevant=5, n_noise=20, theta_state=7, random_state=14)
    density = LinearGaussianDensity(covariance="graphical_lasso")
    with warnings.catch_warnings():
        # The solver reports folds that did not converge, too.
        warnings.simplefilter("ignore")
        density.fit(data.target, data.sensitive_features)
    assert np.linalg.eigvalsh(density.precision_)[0] > 0
    assert np.isfinite(density.log_prob(data.target, data.sensitive_features)).all()


def test_lasso_leaves_out_noise_and_shrinks_little():
    rng = np.random.default_rng(0)
    given = rng.normal(size=(150, 40)) * np.logspace(-2, 2, 40)
    target = 100 * given[:, 0] + rng.normal(size=150)
    fitted = LinearGaussianDensity(penalty="lasso").fit(given, target)
    assert np.count_nonzero(fitted.coef_) < 20
    # The penalty takes at most two thirds off; the column is standardised before it is applied.
    assert 30 < fitted.coef_[0, 0] < 110


@pytest.mark.parametrize(
    "classifier",
    [None, LogisticRegression(), GaussianNB(), RandomForestClassifier(20, random_state=0)],
)
def test_classifier_density(classifier):
    given, target = class_data()
    fitted = ClassifierDensity(classifier).fit(given, target)
    table = fitted.condition(given)
    assert isinstance(table, TableConditional)
    np.testing.assert_allclose(np.exp(table.log_probabilities).sum(axis=1), 1.0)
    np.testing.assert_array_equal(
        fitted.log_prob(given, target),
        table.log_probabilities[np.arange(600), np.searchsorted(["u", "v", "w"], target)],
    )
    # Forests give zeros; no class that occurs may be impossible.
    assert np.isfinite(table.log_probabilities).all()
    many = np.repeat(given[:1], 4000, axis=0)
    drawn = fitted.sample(many, random_state=0)
    frequencies = [(drawn == c).mean() for c in fitted.classes_]
    # Four standard errors of a frequency of a half.
    np.testing.assert_allclose(frequencies, np.exp(table.log_probabilities[0]), atol=0.032)


def test_few_cells_are_smoothed_frequencies():
    given = np.repeat([[0.0, 1.0], [1.0, 0.0]], [30, 70], axis=0)
    target = np.array([1] * 3 + [0] * 27 + [1] * 35 + [0] * 35)
    fitted = ClassifierDensity().fit(given, target)
    expected = np.array([(3 + 0.38) / 31, (35 + 0.38) / 71])
    probability = np.exp(fitted.condition([[0.0, 1.0], [1.0, 0.0]]).log_probabilities[:, 1])
    np.testing.assert_allclose(probability, expected)
    # An unseen cell has the overall frequency.
    assert np.exp(fitted.condition([[5.0, 5.0]]).log_probabilities[0, 1]) == pytest.approx(0.38)


WEIGHTED = [
    (LinearGaussianDensity(), linear_data),
    (LinearGaussianDensity(penalty="lasso"), linear_data),
    (HeteroscedasticGaussianDensity(Ridge(), Ridge()), linear_data),
    (ClassifierDensity(), class_data),
    (ClassifierDensity(LogisticRegression()), class_data),
]


@pytest.mark.parametrize(("density", "make"), WEIGHTED)
def test_rows_of_weight_zero_hardly_matter(density, make):
    # Half of the rows are of another law; with a weight of (nearly) zero they change little.
    given, target = make(300)
    other = make(300, seed=1)[1][::-1]
    both, targets = np.concatenate([given, given]), np.concatenate([target, other])
    weight = np.repeat([1.0, 1e-9], 300)
    alone = clone(density).fit(given, target).log_prob(given, target).mean()
    weighted = clone(density).fit(both, targets, sample_weight=weight)
    without = clone(density).fit(both, targets)
    # Folds and penalties differ, so that the fits do, but far less than those without weights.
    error = abs(weighted.log_prob(given, target).mean() - alone)
    assert error < 0.1 * abs(without.log_prob(given, target).mean() - alone)


def test_weights_that_cannot_be_used():
    given, target = class_data(60)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        ClassifierDensity(KNeighborsClassifier()).fit(given, target, sample_weight=np.ones(60))


# ------------------------------------------------------------------ cross-fitting


def test_out_of_fold_conditionals():
    given, target = linear_data(60)
    folds = [(np.arange(30, 60), np.arange(30)), (np.arange(30), np.arange(30, 60))]
    conditional = cross_fit_conditional(LinearGaussianDensity(), given, target, cv=folds)
    rows = np.arange(60)
    expected = np.empty(60)
    for train, test in folds:
        fitted = LinearGaussianDensity().fit(given[train], target[train])
        expected[test] = fitted.log_prob(given[test], target[test])
    np.testing.assert_allclose(conditional.log_prob(target, rows), expected)


def test_stacks_keep_fast_families_and_otherwise_agree_with_the_parts():
    rng = np.random.default_rng(0)
    rows = [np.array([4, 0, 2]), np.array([1, 3])]
    gaussians = [GaussianConditional(rng.normal(size=m), rng.uniform(1, 2, m)) for m in (3, 2)]
    tables = [TableConditional([0, 1], np.log(rng.dirichlet([1, 1], size=m))) for m in (3, 2)]
    families = [ExponentialFamilyConditional(_powers, rng.normal(size=(m, 1))) for m in (3, 2)]
    target, labels = rng.normal(size=5), np.array([0, 1, 1, 0, 1])
    for parts, values in ((gaussians, target), (tables, labels), (families, target)):
        stacked, general = stack_conditionals(parts, rows), StackedConditional(parts, rows)
        assert type(stacked) is type(parts[0]) and stacked.n_rows == general.n_rows == 5
        index = rng.integers(5, size=(2, 20))
        if parts is not families:
            np.testing.assert_allclose(
                stacked.log_prob(values[index[0]], index[1]),
                general.log_prob(values[index[0]], index[1]),
            )
    mixed = stack_conditionals([gaussians[0], families[1]], rows)
    assert isinstance(mixed, StackedConditional)
    # Statistics that differ do not cancel, so that these are no one family.
    other = ExponentialFamilyConditional(lambda y: y[:, None] ** 2, np.ones((2, 1)))
    assert isinstance(stack_conditionals([families[0], other], rows), StackedConditional)


def test_taken_rows():
    rng = np.random.default_rng(0)
    weight = np.log(rng.dirichlet(np.ones(3), size=6))
    mixture = MixtureConditional(weight, rng.normal(size=(6, 3)), rng.uniform(1, 2, size=(6, 3)))
    for whole in (mixture, GaussianConditional(rng.normal(size=6), np.ones(6))):
        order, rows = rng.permutation(6)[:4], np.array([3, 0, 0, 2, 1])
        taken = whole.take(order)
        assert taken.n_rows == 4
        target = rng.normal(size=5)
        np.testing.assert_allclose(
            taken.log_prob(target, rows), whole.log_prob(target, order[rows])
        )


def _powers(y):
    return np.asarray(y)[:, None]


def test_cross_fitting_refuses_what_it_cannot_do():
    given, target = class_data(60)
    target[target == "u"] = "v"
    target[0] = "u"
    with pytest.raises(ValueError, match="the class 'u' has one row"):
        cross_fit_conditional(ClassifierDensity(), given, target)
    target[:3] = "u"
    with pytest.raises(ValueError, match="'u' has 3 rows. Use fewer folds"):
        cross_fit_conditional(ClassifierDensity(), given, target, cv=5)
    with pytest.raises(ValueError, match="must test every row once"):
        cross_fit_conditional(
            LinearGaussianDensity(), given, given[:, 0], cv=[(np.arange(30), np.arange(20))]
        )
    parts = [TableConditional([0, 1], np.zeros((1, 2))), TableConditional([0, 2], np.zeros((1, 2)))]
    with pytest.raises(ValueError, match="Every class must be in every training fold"):
        stack_conditionals(parts, [np.array([0]), np.array([1])])


# ------------------------------------------------------------------ choice and check


def test_default_density_by_target():
    assert isinstance(default_density(["a", "b"]), ClassifierDensity)
    assert isinstance(default_density([True, False]), ClassifierDensity)
    assert isinstance(default_density(np.arange(30)), ClassifierDensity)
    assert not default_density(np.arange(31)).discrete_target
    assert isinstance(default_density(np.zeros((5, 2))), LinearGaussianDensity)


def test_default_density_without_torch(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="pip install 'fairsk"):
        assert isinstance(default_density([0.5, 1.5]), HeteroscedasticGaussianDensity)


def test_check_of_right_and_wrong_densities():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(800, 2))
    noise = rng.normal(size=800)
    wrong_mean, wrong_spread = a[:, 0] ** 2 + noise, a[:, 0] + np.exp(a[:, 1]) * noise
    linear = LinearGaussianDensity()
    assert density_check(linear, a, a[:, 0] + noise, random_state=0).pvalue > 0.01
    mean, spread = (density_check(linear, a, y, random_state=0) for y in (wrong_mean, wrong_spread))
    assert mean.pvalue < 1e-6 and mean.pvalues["a0 squared"] == min(mean.pvalues.values())
    assert spread.pvalue < 1e-6 and spread.pvalues["a1 spread"] == min(spread.pvalues.values())
    assert spread.transform.shape == (800, 1)
    flexible = density_check(HeteroscedasticGaussianDensity(), a, wrong_spread, random_state=0)
    assert flexible.pvalue > 0.01
    assert flexible.mean_log_prob > spread.mean_log_prob


def test_check_of_classes():
    rng = np.random.default_rng(0)
    a = rng.normal(size=2000)
    y = rng.random(2000) < norm.cdf(a**2 - 1)
    good = density_check(ClassifierDensity(), a, y, random_state=0)
    linear = density_check(ClassifierDensity(LogisticRegression()), a, y, random_state=0)
    assert good.pvalue > 0.01 and good.transform is None
    assert linear.pvalue < 1e-6 and min(linear.pvalues, key=linear.pvalues.get).endswith("squared")


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("density", "target", "message"),
    [
        (LinearGaussianDensity(penalty="l1"), None, "penalty must be one of"),
        (LinearGaussianDensity(covariance="full"), None, "covariance must be one of"),
        (LinearGaussianDensity(), ["a", "b"] * 20, "one of numbers"),
        (LinearGaussianDensity(), np.ones(40), "singular"),
        (LinearGaussianDensity(), np.ones(39), "given has 40 rows but target has 39"),
        (LinearGaussianDensity(), [np.nan] + [0.0] * 39, "NaN"),
        (LinearGaussianDensity(), [None] + [0.0] * 39, "target has 1 missing values"),
        (HeteroscedasticGaussianDensity(), np.zeros((40, 2)), "must be one-dimensional"),
        (HeteroscedasticGaussianDensity(GaussianNB()), None, "must be a regressor"),
        (ClassifierDensity(), ["a"] * 40, "one class, "),
        (ClassifierDensity(LinearSVC()), [0, 1] * 20, "must have predict_proba"),
        (ClassifierDensity(), np.array([0, "a"] * 20, dtype=object), "mixes values of the types"),
    ],
)
def test_errors_of_fit(density, target, message):
    given = np.random.default_rng(0).normal(size=(40, 2))
    target = given[:, 0] ** 2 if target is None else target
    with pytest.raises(ValueError, match=message):
        density.fit(given, target)


def test_errors_after_fit():
    given, target = linear_data(50)
    fitted = LinearGaussianDensity().fit(given, target)
    with pytest.raises(ValueError, match="given has 2 columns; in fit it had 3"):
        fitted.condition(given[:, :2])
    labels = ClassifierDensity().fit(given, target > 50)
    with pytest.raises(ValueError, match="was not fitted with"):
        labels.log_prob(given, np.full(50, 7))
    with pytest.raises(ValueError, match="known up to its normaliser"):
        ExponentialFamilyConditional(_powers, np.ones((3, 1))).log_prob(target, np.arange(3))


# ------------------------------------------------------------------- selection


def test_selection_takes_the_family_that_is_right():
    given, target = linear_data()
    skewed = np.sign(given[:, 0]) * np.exp(given[:, 0]) * np.random.default_rng(5).normal(size=400)
    candidates = [HeteroscedasticGaussianDensity(), LinearGaussianDensity()]
    density = CrossValidatedDensity(candidates, random_state=0)
    for values, best in ((target, 1), (skewed, 0)):
        fitted = clone(density).fit(given, values)
        assert fitted.best_index_ == best and fitted.scores_.argmax() == best
        alone = clone(candidates[best]).fit(given, values)
        np.testing.assert_array_equal(fitted.log_prob(given, values), alone.log_prob(given, values))
        np.testing.assert_array_equal(fitted.sample(given, 1), alone.sample(given, 1))
        # The score is what another sample of the folds' size would say, within its noise.
        expected = alone.log_prob(given, values).mean()
        assert fitted.scores_[best] == pytest.approx(expected, abs=0.1)
    # Candidates are compared on the same folds, and are left as they were.
    assert not hasattr(candidates[1], "coef_")
    both = CrossValidatedDensity([LinearGaussianDensity()] * 2).fit(given, target)
    assert both.scores_[0] == both.scores_[1] and both.best_index_ == 0


def test_selection_among_classifiers_in_a_sampler():
    given, target = class_data()
    # One neighbour is sure of everything and often wrong.
    candidates = [
        ClassifierDensity(KNeighborsClassifier(1)),
        ClassifierDensity(LogisticRegression()),
    ]
    density = CrossValidatedDensity(candidates, cv=3, random_state=0)
    assert density.discrete_target
    A = given[:, :1]
    sampler = InverseConditionalPermutation(density, random_state=0).fit(A, target)
    plain = InverseConditionalPermutation(candidates[1], random_state=0).fit(A, target)
    np.testing.assert_array_equal(sampler.sample(2, 0), plain.sample(2, 0))


def test_selection_with_weights():
    given, target = linear_data()
    density = CrossValidatedDensity([LinearGaussianDensity()], random_state=0)
    weight = np.random.default_rng(0).integers(0, 3, size=len(target))
    fitted = clone(density).fit(given, target, sample_weight=weight)
    alone = LinearGaussianDensity().fit(given, target, sample_weight=weight)
    np.testing.assert_array_equal(fitted.density_.coef_, alone.coef_)
    # Rows without weight are not there: what they say does not count.
    spoiled = np.where(weight == 0, 1e6, target)
    np.testing.assert_allclose(
        clone(density).fit(given, spoiled, sample_weight=weight).scores_, fitted.scores_
    )


@pytest.mark.parametrize(
    ("densities", "match"),
    [
        ([], "at least one"),
        ([LinearGaussianDensity(), ClassifierDensity()], "all for labels or all for numbers"),
        ([LinearRegression()], "must be ConditionalDensity objects, got LinearRegression"),
    ],
)
def test_selection_refuses(densities, match):
    given, target = linear_data(40)
    with pytest.raises(ValueError, match=match):
        CrossValidatedDensity(densities).fit(given, target)


def test_selection_of_a_constant_target():
    given, _ = linear_data(40)
    with pytest.raises(ValueError, match="residuals is singular"):
        CrossValidatedDensity([LinearGaussianDensity()]).fit(given, np.ones(40))
