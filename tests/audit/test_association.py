"""The two-sample tests: against SciPy, exactness, validity and power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsk.audit._association import categories_alike, numbers_alike


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_chi_square_fisher_and_t_are_scipys(rng):
    side = rng.random(300) < 0.4
    group = rng.integers(0, 3, 300)
    table = stats.contingency.crosstab(side, group).count
    found = categories_alike(side, group, 3, rng=rng)
    expected = stats.chi2_contingency(table, correction=False)
    assert found.test == "chi-square"
    assert found.pvalue == pytest.approx(expected.pvalue)
    two = (group == 1).astype(int)
    few = slice(0, 14)
    exact = categories_alike(side[few], two[few], 2, rng=rng, alternative="greater")
    small = stats.contingency.crosstab(side[few], two[few]).count
    assert exact.test == "exact"
    assert exact.pvalue == pytest.approx(stats.fisher_exact(small, alternative="greater").pvalue)
    t = categories_alike(side, two, 2, test="t", alternative="greater", rng=rng)
    paper = stats.ttest_ind(two[side], two[~side], alternative="greater")
    assert t.pvalue == pytest.approx(paper.pvalue)


def test_the_papers_figures_are_significant_at_their_size(rng):
    """6.3 % of the flips to wrong against 3.8 % of those to right, one-sided: p = .0078.

    The numbers of flips are not printed; about 860 of either give that p-value.
    """
    n = 860
    side = np.repeat([True, False], n)
    dark = np.r_[np.arange(n) < 0.063 * n, np.arange(n) < 0.038 * n].astype(int)
    found = categories_alike(side, dark, 2, test="t", alternative="greater", rng=rng)
    assert found.pvalue == pytest.approx(0.0078, abs=0.002)


def test_one_sided_tests_take_the_side_into_account(rng):
    side = np.repeat([True, False], 200)
    group = np.r_[rng.random(200) < 0.6, rng.random(200) < 0.4].astype(int)
    for weight in (None, np.ones(400)):
        more = categories_alike(side, group, 2, weight=weight, alternative="greater", rng=rng)
        less = categories_alike(~side, group, 2, weight=weight, alternative="greater", rng=rng)
        assert more.pvalue < 0.01 and less.pvalue > 0.99
    for test in ("t", "rank"):
        values = rng.normal(size=400) + 0.6 * side
        assert numbers_alike(side, values, test=test, alternative="greater").pvalue < 0.01
        assert numbers_alike(~side, values, test=test, alternative="greater").pvalue > 0.99


def test_permutations_of_the_table_are_permutations_of_rows(rng):
    """The same p-value as shuffling the rows, up to the error of 9,999 draws."""
    side, group = rng.random(40) < 0.3, rng.integers(0, 5, 40)
    group[side] = np.minimum(group[side], 3)
    found = categories_alike(side, group, 5, test="permutation", rng=rng)

    def statistic(s):
        table = stats.contingency.crosstab(s, group).count
        return stats.chi2_contingency(table, correction=False).statistic

    shuffled = np.array([statistic(rng.permutation(side)) for _ in range(2000)])
    by_rows = np.mean(shuffled >= statistic(side) - 1e-9)
    # Three standard errors of 2,000 shuffles.
    assert found.pvalue == pytest.approx(by_rows, abs=3 * 0.5 / np.sqrt(2000))


@pytest.mark.parametrize("kind", ["categories", "few", "numbers", "rank", "weighted", "weighted z"])
def test_type_one_error(rng, kind):
    """Independent sides are rejected at 5 % about as often."""
    repeats, rejected = 400, 0
    for _ in range(repeats):
        n = 25 if kind == "few" else 200
        side = rng.random(n) < 0.4
        weight = rng.uniform(0.2, 2, n) if kind.startswith("weighted") else None
        if kind in ("numbers", "rank", "weighted z"):
            test = "rank" if kind == "rank" else "t"
            found = numbers_alike(side, rng.exponential(size=n), weight=weight, test=test)
        else:
            group = rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
            found = categories_alike(side, group, 4, weight=weight, n_permutations=499, rng=rng)
        rejected += found.pvalue <= 0.05
    # 20 expected; 13 more are three standard errors.
    assert rejected <= 33


def test_power_and_effect_sizes(rng):
    side = np.repeat([True, False], 500)
    group = np.r_[rng.random(500) < 0.6, rng.random(500) < 0.4].astype(int)
    found = categories_alike(side, group, 2, rng=rng)
    assert found.pvalue < 1e-6
    # V of a difference of .2 between halves; its standard error is about .03.
    assert found.effect == pytest.approx(0.2, abs=0.09)
    weighted = categories_alike(side, group, 2, weight=np.full(1000, 3.0), rng=rng)
    assert weighted.effect == pytest.approx(found.effect)
    values = rng.normal(size=1000) + 0.5 * side
    numbers = numbers_alike(side, values)
    # Standard error of d: sqrt(4 / 1000) = .063.
    assert numbers.cohens_d == pytest.approx(0.5, abs=0.19)
    assert numbers.effect == pytest.approx(abs(stats.pointbiserialr(side, values)[0]), abs=1e-3)
    # Variances of weighted values have no n - 1: one part in a thousand.
    same = numbers_alike(side, values, weight=np.full(1000, 2.0))
    assert same.cohens_d == pytest.approx(numbers.cohens_d, rel=2e-3)


def test_v_is_unbiased_under_independence(rng):
    """Plain V averages sqrt(9 / 100) = .3 with ten groups and 100 rows."""
    effects = [
        categories_alike(
            rng.random(100) < 0.5, rng.integers(0, 10, 100), 10, test="chi-square", rng=rng
        )
        for _ in range(200)
    ]
    assert np.mean([found.effect for found in effects]) < 0.1


def test_what_cannot_be_told_apart_has_no_pvalue(rng):
    side = np.array([True, False] * 5)
    for found in (
        categories_alike(side, np.zeros(10, dtype=int), 2, rng=rng),
        categories_alike(np.ones(10, bool), np.arange(10) % 2, 2, rng=rng),
        categories_alike(np.ones(10, bool), np.arange(10) % 2, 2, weight=np.ones(10), rng=rng),
        categories_alike(side, np.zeros(10, dtype=int), 2, weight=np.ones(10), rng=rng),
        numbers_alike(side, np.ones(10)),
        numbers_alike(np.arange(10) == 0, np.arange(10.0)),
    ):
        assert np.isnan(found.pvalue) and found.test == ""
    separate = numbers_alike(side, side.astype(float))
    assert separate.pvalue == 0 and separate.effect == 1
