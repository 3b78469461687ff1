"""The public samplers: what they take, what they promise, and what they refuse."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier

from fairsk.independence import (
    ClassifierDensity,
    Conditional,
    ConditionalDensity,
    ConditionalPermutation,
    GaussianConditional,
    HeteroscedasticGaussianDensity,
    InverseConditionalPermutation,
    KnownGaussianDensity,
    LinearGaussianDensity,
    TableConditional,
    mixing_diagnostic,
)
from fairsk.independence._cells import find_cells
from fairsk.independence._exact import ConditionalBernoulli, conditional_binomials
from fairsk.utils import check_sensitive_features

SAMPLERS = [InverseConditionalPermutation, ConditionalPermutation]


def mixed_data(n=300, seed=0):
    """A frame of mixed types, and a target that depends on two of its columns."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 12, size=n),
            "sex": rng.choice(["f", "m"], size=n),
            "race": pd.Categorical(rng.choice(["a", "b", "c"], size=n)),
            "urban": rng.random(n) < 0.6,
        }
    )
    y = 0.05 * frame["age"] + (frame["sex"] == "m") + rng.normal(size=n)
    return frame, y.rename("y")


def is_permutation(rows):
    return np.array_equal(np.sort(rows), np.arange(len(rows)))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("target", ["continuous", "binary", "classes"])
def test_mixed_types_and_targets(sampler, target):
    frame, y = mixed_data()
    if target == "binary":
        y = (y > y.median()).map({True: "yes", False: "no"})
    elif target == "classes":
        y = pd.cut(y, 4, labels=["q", "r", "s", "t"])
    density = None
    if target == "continuous" and sampler is InverseConditionalPermutation:
        density = LinearGaussianDensity()
    fitted = sampler(density, n_steps=10, random_state=0).fit(frame, y)
    copies = fitted.sample(4, random_state=1)
    assert copies.shape == (4, 300) and copies.dtype.kind == "i"
    assert all(is_permutation(row) for row in copies)
    assert len({tuple(row) for row in copies}) == 4
    if sampler is InverseConditionalPermutation:
        expected = {"continuous": "chain", "binary": "binary", "classes": "chain"}[target]
        assert fitted.algorithm_ == expected


def test_containers_give_the_same_copies():
    frame, y = mixed_data()
    density = LinearGaussianDensity()
    sampler = InverseConditionalPermutation(density, n_steps=5, random_state=0)
    copies = [
        sampler.fit(A, target).sample(random_state=1)
        for A, target in (
            (frame, y),
            (pl.DataFrame({k: list(v) for k, v in frame.items()}), pl.Series(y.to_numpy())),
            (frame.to_numpy(dtype=object), y.to_numpy()),
            (check_sensitive_features(frame), y.tolist()),
        )
    ]
    for other in copies[1:]:
        np.testing.assert_array_equal(copies[0], other)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_all_categorical_features(sampler):
    frame, y = mixed_data(600)
    groups = frame[["sex", "race"]]
    fitted = sampler(n_steps=10, random_state=0).fit(groups, y > 3)
    assert fitted.is_exact_ and fitted.algorithm_ == "cells"
    # Counts of group and label vary from copy to copy around those of the data.
    cell = groups["sex"].astype(str) + groups["race"].astype(str)
    copies = fitted.sample(200, random_state=0)
    mean = sum(pd.crosstab(cell.to_numpy()[c], y > 3) for c in copies) / 200
    observed = pd.crosstab(cell.to_numpy(), y > 3)
    # Four standard errors of the mean count (a count's deviation is below five here).
    assert (mean - observed).abs().to_numpy().max() < 4 * 5 / np.sqrt(200) + 1


def test_rows_with_missing_features_stay():
    frame, y = mixed_data()
    frame.loc[[3, 50], "age"] = np.nan
    frame.loc[[3, 99], "sex"] = None
    fitted = InverseConditionalPermutation(LinearGaussianDensity(), random_state=0).fit(frame, y)
    assert np.flatnonzero(~fitted.complete_).tolist() == [3, 50, 99]
    for row in fitted.sample(5):
        assert is_permutation(row) and row[[3, 50, 99]].tolist() == [3, 50, 99]
    # They do not train the density either.
    kept = fitted.complete_
    without = InverseConditionalPermutation(LinearGaussianDensity()).fit(frame[kept], y[kept])
    np.testing.assert_allclose(fitted.density_.coef_, without.density_.coef_)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_copies_keep_the_relation_to_y_and_lose_the_rest(sampler):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4000, 2)) @ [[1.0, 0.5], [0.0, 1.0]]
    y = A @ [1.0, -0.5] + rng.normal(size=4000)
    hidden = A[:, 0] + 0.1 * rng.normal(size=4000)
    fitted = sampler(LinearGaussianDensity(), random_state=0).fit(A, y)
    copy = A[fitted.sample(random_state=1)[0]]
    data, copied = (np.corrcoef(np.column_stack([a, y, hidden]).T) for a in (A, copy))
    # Four standard errors of a correlation of 4,000 rows.
    np.testing.assert_allclose(copied[:3, :3], data[:3, :3], atol=4 / np.sqrt(4000))
    # Given y, the copy knows nothing of what else goes with A: the correlation is y's part alone.
    assert copied[0, 3] == pytest.approx(data[0, 2] * data[2, 3], abs=4 / np.sqrt(4000))
    assert data[0, 3] > 0.9


def test_seeds():
    frame, y = mixed_data()
    sampler = InverseConditionalPermutation(LinearGaussianDensity(), n_steps=5, random_state=0)
    first = sampler.fit(frame, y)
    a, b = first.sample(2), first.sample(2)
    assert not np.array_equal(a, b)
    again = clone(sampler).fit(frame, y)
    np.testing.assert_array_equal(a, again.sample(2))
    np.testing.assert_array_equal(b, again.sample(2))
    for seed in (3, np.random.RandomState(3), np.random.default_rng(3)):
        other = type(seed)(3) if isinstance(seed, np.random.RandomState) else seed
        if isinstance(seed, np.random.Generator):
            other = np.random.default_rng(3)
        np.testing.assert_array_equal(
            first.sample(2, random_state=seed), first.sample(2, random_state=other)
        )


def test_frozen_density_is_used_as_it_is():
    rng = np.random.default_rng(0)
    A = 100 + 5 * rng.normal(size=(50, 1))
    y = A[:, 0] + rng.normal(size=50)
    oracle = KnownGaussianDensity(lambda a: a[:, 0], 1.0)
    fitted = InverseConditionalPermutation(FrozenEstimator(oracle), random_state=0).fit(A, y)
    # Raw A, not standardised; and the same object.
    assert fitted.density_ is oracle and fitted.encoder_ is None
    np.testing.assert_array_equal(fitted.conditional_.mean, A[:, 0])
    with pytest.raises(ValueError, match="'passthrough'"):
        InverseConditionalPermutation(FrozenEstimator(oracle)).fit(np.repeat(["f", "m"], 25), y)
    with pytest.raises(ValueError, match="cv must be None"):
        InverseConditionalPermutation(FrozenEstimator(oracle), cv=5).fit(A, y)


def test_other_rows_with_the_same_density():
    frame, y = mixed_data()
    train, test = np.arange(200), np.arange(200, 300)
    fitted = InverseConditionalPermutation(LinearGaussianDensity(), random_state=0)
    fitted.fit(frame.iloc[train], y.iloc[train])
    other = fitted.for_rows(frame.iloc[test], y.iloc[test])
    assert other.sample().shape == (1, 100) and fitted.sample().shape == (1, 200)
    assert other.density_ is fitted.density_
    # The encoding is that of the training rows.
    codes = fitted.encoder_.transform(frame.iloc[test])
    np.testing.assert_array_equal(other.conditional_.mean, fitted.density_.condition(codes).mean)
    with pytest.raises(ValueError, match="one density a fold"):
        fitted.set_params(cv=2).fit(frame, y).for_rows(frame, y)


@pytest.mark.parametrize("cv", [3, KFold(4)])
def test_cross_fitting(cv):
    frame, y = mixed_data()
    fitted = InverseConditionalPermutation(LinearGaussianDensity(), cv=cv, random_state=0)
    assert is_permutation(fitted.fit(frame, y).sample()[0])
    assert isinstance(fitted.conditional_, GaussianConditional)
    assert not hasattr(fitted, "density_")
    labels = InverseConditionalPermutation(cv=cv, random_state=0).fit(frame, y > 3)
    assert labels.algorithm_ == "binary"
    general = ConditionalPermutation(
        LinearGaussianDensity(covariance="ledoit_wolf"), n_steps=3, cv=cv, random_state=0
    ).fit(frame, y)
    assert is_permutation(general.sample()[0])


def test_weights_reach_the_density():
    frame, y = mixed_data()
    weight = np.random.default_rng(0).uniform(0.5, 2, size=300)
    fitted = InverseConditionalPermutation(LinearGaussianDensity()).fit(
        frame, y, sample_weight=weight
    )
    codes = fitted.encoder_.transform(frame)
    expected = LinearGaussianDensity().fit(codes, y, sample_weight=weight)
    np.testing.assert_array_equal(fitted.density_.coef_, expected.coef_)


def test_default_density_of_a_continuous_target():
    pytest.importorskip("torch")
    frame, y = mixed_data()
    fitted = InverseConditionalPermutation(n_steps=3, random_state=0).fit(frame, y)
    assert type(fitted.density_).__name__ == "MixtureDensityNetwork"
    assert is_permutation(fitted.sample()[0])


# ------------------------------------------------------------------ mixing


def test_mixing_diagnostic():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(3000, 1))
    y = A[:, 0] + 0.5 * rng.normal(size=3000)
    reports = {
        n_steps: mixing_diagnostic(
            InverseConditionalPermutation(
                LinearGaussianDensity(), n_steps=n_steps, random_state=0
            ).fit(A, y),
            n_copies=30,
            random_state=0,
        )
        for n_steps in (1, 5, 50)
    }
    kept = [reports[n].residual_correlation for n in (1, 5, 50)]
    assert 1 > kept[0] > kept[1] > 0.1 > 0.05 > kept[2]
    assert reports[1].suggested_steps > 10 and reports[50].suggested_steps == 50
    assert 0 < reports[50].standard_error < 0.05


def test_mixing_of_exact_draws_and_of_tables():
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b", "c"], size=2000)
    y = rng.integers(4, size=2000) + (group == "a")
    exact = InverseConditionalPermutation(random_state=0).fit(group, y > 2)
    assert mixing_diagnostic(exact).residual_correlation == 0
    tables = InverseConditionalPermutation(random_state=0).fit(group, y)
    assert tables.algorithm_ == "cell_chain"
    report = mixing_diagnostic(tables, random_state=0)
    # Even ten steps over a table leave nothing: the entries' autocorrelation is about a half.
    assert report.residual_correlation < 0.01
    one = mixing_diagnostic(clone(tables).set_params(n_steps=1).fit(group, y), random_state=0)
    assert 0.1 < one.residual_correlation < 0.95 and one.suggested_steps > 1


# ------------------------------------------------------------------ exact parts


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    n=st.integers(1, 40),
    spread=st.sampled_from([0.0, 1.0, 30.0, 800.0]),
    share=st.floats(0, 1),
    infinite=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_sums_are_kept_whatever_the_odds(n, spread, share, infinite, seed):
    rng = np.random.default_rng(seed)
    logits = spread * rng.normal(size=n)
    total = round(share * n)
    if infinite:
        # Rows that are certain, as far as the sum allows.
        logits[: min(1, total)] = np.inf
        logits[n - min(1, n - total) :] = -np.inf
    draw = ConditionalBernoulli(logits, total).draw(rng)
    assert draw.sum() == total and not draw[np.isneginf(logits)].any()
    assert draw[np.isposinf(logits)].all()
    sizes = rng.integers(0, 50, size=n)
    total = round(share * sizes.sum())
    counts = conditional_binomials(sizes, spread * rng.normal(size=n), total, rng)
    assert counts.sum() == total and np.all((counts >= 0) & (counts <= sizes))


def test_impossible_sums_are_refused_instead_of_searched_for():
    with pytest.raises(ValueError, match="The sum cannot be 1"):
        ConditionalBernoulli(np.array([np.inf, np.inf, 0.0]), 1)
    with pytest.raises(ValueError, match="NaN"):
        ConditionalBernoulli(np.array([np.nan, 0.0]), 1)


def test_means_of_conditioned_sums():
    # The probability of a one, by the two halves of an exact recursion over all rows.
    rng = np.random.default_rng(0)
    logits, total = rng.normal(size=60), 17
    sums = [np.array([1.0])]
    for logit in logits:
        sums.append(np.convolve(sums[-1], [1.0, np.exp(logit)]))
    expected = np.empty(60)
    for row in range(60):
        rest = np.array([1.0])
        for logit in np.delete(logits, row):
            rest = np.convolve(rest, [1.0, np.exp(logit)])
        expected[row] = np.exp(logits[row]) * rest[total - 1] / sums[-1][total]
    bernoulli = ConditionalBernoulli(logits, total)
    mean = np.mean([bernoulli.draw(rng) for _ in range(4000)], axis=0)
    # 4.5 standard errors of a frequency: one of 60 rows is beyond with a chance below 1e-3.
    np.testing.assert_array_less(np.abs(mean - expected), 4.5 * np.sqrt(0.25 / 4000))
    binomials = [conditional_binomials(np.ones(60, int), logits, total, rng) for _ in range(4000)]
    np.testing.assert_array_less(
        np.abs(np.mean(binomials, axis=0) - expected), 4.5 * np.sqrt(0.25 / 4000)
    )


def test_cells_of_a_table():
    rng = np.random.default_rng(0)
    distinct = rng.normal(size=(7, 3))
    cells = rng.integers(7, size=5000)
    found = find_cells(distinct[cells])
    assert len(np.unique(np.column_stack([cells, found]), axis=0)) == 7
    assert find_cells(rng.normal(size=(5000, 3))) is None
    # Distinct rows that the first ones do not show.
    late = np.concatenate([np.zeros((4000, 3)), rng.normal(size=(1000, 3))])
    assert find_cells(late) is None


# ------------------------------------------------------------------ bad input


class BrokenDensity(ConditionalDensity):
    """NaN far from the data, or everywhere."""

    def __init__(self, everywhere=False):
        self.everywhere = everywhere

    def _fit(self, given, target, sample_weight):
        pass

    def condition(self, given):
        return BrokenConditional(np.asarray(given)[:, 0], self.everywhere)

    def sample(self, given, random_state=None):
        return np.asarray(given)[:, 0]


class BrokenConditional(Conditional):
    def __init__(self, mean, everywhere):
        self.mean, self.everywhere = mean, everywhere

    @property
    def n_rows(self):
        return len(self.mean)

    def log_prob(self, target, rows):
        distance = np.abs(target - self.mean[rows])
        return np.where(self.everywhere | (distance > 2), np.nan, -(distance**2))


def test_density_that_is_nan():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 1))
    y = A[:, 0] + 0.1 * rng.normal(size=40)
    broken = InverseConditionalPermutation(BrokenDensity(everywhere=True), encoder="passthrough")
    with pytest.raises(ValueError, match="The density is NaN for 40 of the rows"):
        broken.fit(A, y)
    # Only for exchanges that are far from likely: rejected, and said.
    with pytest.warns(RuntimeWarning, match="was NaN for"):
        fitted = InverseConditionalPermutation(
            BrokenDensity(), n_steps=5, encoder="passthrough", random_state=0
        ).fit(A, y)
    with pytest.warns(RuntimeWarning, match="rejected"):
        copy = A[fitted.sample()[0], 0]
    assert np.abs(copy - y).max() <= 2


def test_impossible_observations():
    table = TableConditional(np.array([0, 1]), np.log([[1.0, 1e-300]] * 4))
    table.log_probabilities[:, 1] = -np.inf
    from fairsk.independence._engines import choose_engine

    for algorithm in ("auto", "chain"):
        with pytest.raises(ValueError, match="zero for 2 of the observed rows"):
            choose_engine(table, np.array([0, 1, 1, 0]), algorithm)


A10 = np.arange(12.0)
Y10 = np.sin(np.arange(12.0))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(
    ("A", "y", "message"),
    [
        (A10, np.ones(12), "y is constant: every row with sensitive features has 1.0"),
        (A10, np.repeat("a", 12), "y is constant: every row with sensitive features has 'a'"),
        (np.ones(12), Y10, "are constant: every copy would equal the data"),
        (A10[:9], Y10[:9], "There are 9 rows with all sensitive features, of 9"),
        (np.where(A10 < 4, np.nan, A10), Y10, "There are 8 rows with all sensitive features, of"),
        (A10[:11], Y10, "A has 11 rows but y has 12"),
        (A10, np.where(A10 == 3, np.nan, Y10), "y contains NaN"),
        (np.where(A10 == 3, np.inf, A10 + 0.5), Y10, "has infinite values"),
        (pd.Series(A10), pd.Series(Y10, index=np.arange(12)[::-1]), "indices of A and y differ"),
    ],
)
def test_data_that_are_refused(sampler, A, y, message):
    with pytest.raises(ValueError, match=message):
        sampler(LinearGaussianDensity()).fit(A, y)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"n_steps": 0}, ValueError, "n_steps == 0"),
        ({"n_steps": 2.5}, TypeError, "n_steps must be"),
        ({"algorithm": "gibbs"}, ValueError, "algorithm must be one of"),
        ({"encoder": "onehot"}, ValueError, "encoder must be"),
        ({"density": DecisionTreeClassifier()}, TypeError, "Wrap a classifier"),
        ({"density": HeteroscedasticGaussianDensity(), "algorithm": "exact"}, ValueError, "exact"),
    ],
)
def test_settings_that_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        InverseConditionalPermutation(**{"density": LinearGaussianDensity(), **settings}).fit(
            A10, Y10
        )


def test_unfitted_samplers():
    sampler = InverseConditionalPermutation()
    for call in (sampler.sample, lambda: mixing_diagnostic(sampler)):
        with pytest.raises(NotFittedError):
            call()
    with pytest.raises(NotFittedError):
        sampler.for_rows(A10, Y10)
    with pytest.raises(ValueError, match="n_permutations == 0"):
        InverseConditionalPermutation(LinearGaussianDensity()).fit(A10, Y10).sample(0)


def test_new_groups_in_other_rows():
    rng = np.random.default_rng(0)
    group, y = rng.choice(["a", "b"], size=40), rng.random(40) < 0.5
    fitted = InverseConditionalPermutation(ClassifierDensity()).fit(group, y)
    with pytest.raises(ValueError, match="has the value 'c', which was not seen in fit"):
        fitted.for_rows(np.where(np.arange(40) == 3, "c", group), y)
