"""Is a column distributed alike on two sides of a division of rows: tests with effect sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

# Cochran's rule: below this expected count the chi-square approximation is not trusted.
MIN_EXPECTED = 5
ALTERNATIVES = ("two-sided", "greater")
CATEGORICAL_TESTS = ("auto", "permutation", "chi-square", "t")
NUMERIC_TESTS = ("t", "rank")


@dataclass(frozen=True)
class Association:
    """Result of a test.

    Attributes
    ----------
    effect : float
        Cramer's V, or for numbers the absolute point-biserial correlation, which is V's
        counterpart: 0 to 1.
    cohens_d : float
        For numbers: the difference of means in pooled standard deviations; else NaN.
    pvalue : float
    test : str
        Which test it was.
    """

    effect: float
    cohens_d: float
    pvalue: float
    test: str


NOTHING = Association(float("nan"), float("nan"), float("nan"), "")


def categories_alike(
    side: np.ndarray,
    group: np.ndarray,
    n_groups: int,
    *,
    weight: np.ndarray | None = None,
    test: str = "auto",
    alternative: str = "two-sided",
    n_permutations: int = 9999,
    rng: np.random.Generator,
) -> Association:
    """Test whether groups have the same shares on both sides.

    Parameters
    ----------
    side : ndarray of bool of shape (n_samples,)
    group : ndarray of int of shape (n_samples,)
    n_groups : int
    weight : ndarray of shape (n_samples,), optional
        Weights call for the Wald test, with the variance of weighted shares.
    test : {"auto", "permutation", "chi-square", "t"}
        "auto" is the chi-square test where all expected counts are at least 5, and else the exact
        permutation test of its statistic (Fisher's for two groups). "t" is the two-sample t-test
        of a group's indicator, for two groups.
    alternative : {"two-sided", "greater"}
        "greater": the last group's share is greater on the True side; for two groups only.
    n_permutations : int
    rng : Generator

    Returns
    -------
    Association
        All NaN where one side is empty or there is one group only.
    """
    if weight is not None:
        return _wald(side, group, n_groups, weight, alternative)
    table = np.bincount(side * n_groups + group, minlength=2 * n_groups).reshape(2, n_groups)
    present = table.sum(axis=0) > 0
    if not table.any(axis=1).all() or present.sum() < 2:
        return NOTHING
    two = n_groups == 2
    table = table[:, present]
    effect = _cramers_v(table / table.sum(), table.sum())
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    if test == "t" and two:
        sign = "two-sided" if alternative == "two-sided" else "greater"
        inside = (group == 1).astype(float)
        found = _quiet_t(inside[side], inside[~side], sign, equal_variances=True)
        return Association(effect, float("nan"), found, "two-sample t")
    if test == "chi-square" or (test in ("auto", "t") and expected.min() >= MIN_EXPECTED):
        return Association(
            effect, float("nan"), _chi_square(table, expected, alternative), "chi-square"
        )
    if two:
        # Rows of the table are False and True; its last column is the group.
        odds = "two-sided" if alternative == "two-sided" else "greater"
        pvalue = float(stats.fisher_exact(table, alternative=odds).pvalue)
        return Association(effect, float("nan"), pvalue, "exact")
    pvalue = _permutation(table, expected, n_permutations, rng)
    return Association(effect, float("nan"), pvalue, "permutation")


def numbers_alike(
    side: np.ndarray,
    values: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    test: str = "t",
    alternative: str = "two-sided",
) -> Association:
    """Test whether a number is distributed alike on both sides.

    Parameters
    ----------
    side : ndarray of bool of shape (n_samples,)
    values : ndarray of float of shape (n_samples,)
    weight : ndarray of shape (n_samples,), optional
        With "t" only.
    test : {"t", "rank"}
        Welch's t-test of means, or the test of Mann, Whitney and Wilcoxon.
    alternative : {"two-sided", "greater"}
        "greater": larger on the True side.

    Returns
    -------
    Association
        The effect is of means with either test. All NaN with fewer than two rows on a side.
    """
    first, second = values[side], values[~side]
    if min(len(first), len(second)) < 2 or values.std() == 0:
        return NOTHING
    if weight is not None:
        return _weighted_t(first, second, weight[side], weight[~side], alternative)
    pooled = np.sqrt(
        ((len(first) - 1) * first.var(ddof=1) + (len(second) - 1) * second.var(ddof=1))
        / (len(values) - 2)
    )
    d = float((first.mean() - second.mean()) / pooled) if pooled > 0 else float("inf")
    effect = _correlation(d, len(first) / len(values))
    if test == "rank":
        pvalue = float(stats.mannwhitneyu(first, second, alternative=alternative).pvalue)
        return Association(effect, d, pvalue, "rank")
    return Association(effect, d, _quiet_t(first, second, alternative), "Welch t")


def _quiet_t(
    first: np.ndarray, second: np.ndarray, alternative: str, *, equal_variances: bool = False
) -> float:
    if min(len(first), len(second)) < 2 or (first.std() == 0 and second.std() == 0):
        return 1.0 if first.mean() == second.mean() else 0.0
    found = stats.ttest_ind(first, second, equal_var=equal_variances, alternative=alternative)
    return float(found.pvalue)


def _correlation(d: float, share: float) -> float:
    """Absolute point-biserial correlation from Cohen's d and the share of rows on one side."""
    if np.isinf(d):
        return 1.0
    return float(abs(d) / np.sqrt(d**2 + 1 / (share * (1 - share))))


def _cramers_v(shares: np.ndarray, n: float) -> float:
    """Cramer's V, corrected for bias (Bergsma, 2013): plain V grows with the number of groups."""
    expected = np.outer(shares.sum(axis=1), shares.sum(axis=0))
    squared = float(np.sum((shares - expected) ** 2 / expected))
    n_rows, n_columns = shares.shape
    if n <= 1:
        return float("nan")
    squared = max(0.0, squared - (n_rows - 1) * (n_columns - 1) / (n - 1))
    sizes = [size - (size - 1) ** 2 / (n - 1) for size in shares.shape]
    return float(np.sqrt(min(1.0, squared / max(min(sizes) - 1, 1e-12))))


def _chi_square(table: np.ndarray, expected: np.ndarray, alternative: str) -> float:
    statistic = float(np.sum((table - expected) ** 2 / expected))
    if alternative == "greater" and table.shape[1] == 2:
        sign = 1 if table[1, 1] > expected[1, 1] else -1
        return float(stats.norm.sf(sign * np.sqrt(statistic)))
    return float(stats.chi2.sf(statistic, table.shape[1] - 1))


def _permutation(
    table: np.ndarray, expected: np.ndarray, n_permutations: int, rng: np.random.Generator
) -> float:
    """Of the chi-square statistic: sides permuted among rows, without touching a row."""
    first = rng.multivariate_hypergeometric(
        table.sum(axis=0), int(table[0].sum()), size=n_permutations, method="marginals"
    )
    # The other side's deviations are the same with the opposite sign.
    per_group = 1 / expected[0] + 1 / expected[1]
    drawn = ((first - expected[0]) ** 2) @ per_group
    observed = float((table[0] - expected[0]) ** 2 @ per_group)
    # Equal statistics computed in another order count as equal, which errs on the safe side.
    at_least = np.count_nonzero(drawn >= observed * (1 - 1e-10))
    return (1 + at_least) / (1 + n_permutations)


def _wald(
    side: np.ndarray, group: np.ndarray, n_groups: int, weight: np.ndarray, alternative: str
) -> Association:
    """Of the difference between weighted shares, with its linearised variance."""
    shares, covariance, mass = np.zeros((2, n_groups)), np.zeros((n_groups, n_groups)), np.zeros(2)
    for s in (0, 1):
        rows = (side == bool(s)) & (weight > 0)
        if not rows.any():
            return NOTHING
        w = weight[rows]
        mass[s] = w.sum()
        shares[s] = np.bincount(group[rows], w, n_groups) / w.sum()
        squares = np.bincount(group[rows], w**2, n_groups)
        # sum of w^2 (e - p)(e - p)' with e the indicator of the row's group
        cross = np.outer(squares, shares[s])
        covariance += (
            np.diag(squares) - cross - cross.T + squares.sum() * np.outer(shares[s], shares[s])
        ) / w.sum() ** 2
    present = shares.any(axis=0)
    if present.sum() < 2:
        return NOTHING
    difference = (shares[1] - shares[0])[present]
    covariance = covariance[np.ix_(present, present)]
    statistic = float(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference)
    weights = weight[weight > 0]
    joint = shares[:, present] * (mass / mass.sum())[:, None]
    effect = _cramers_v(joint, weights.sum() ** 2 / np.sum(weights**2))
    if alternative == "greater" and n_groups == 2:
        pvalue = float(stats.norm.sf(np.sign(difference[-1]) * np.sqrt(statistic)))
    else:
        pvalue = float(stats.chi2.sf(statistic, int(present.sum()) - 1))
    return Association(effect, float("nan"), pvalue, "Wald")


def _weighted_t(
    first: np.ndarray,
    second: np.ndarray,
    first_weight: np.ndarray,
    second_weight: np.ndarray,
    alternative: str,
) -> Association:
    means, variances, errors, masses = [], [], [], []
    for values, weight in ((first, first_weight), (second, second_weight)):
        if not weight.any():
            return NOTHING
        mean = np.average(values, weights=weight)
        means.append(mean)
        variances.append(np.average((values - mean) ** 2, weights=weight))
        errors.append(np.sum((weight * (values - mean)) ** 2) / weight.sum() ** 2)
        masses.append(weight.sum())
    if not sum(errors):
        return NOTHING
    z = (means[0] - means[1]) / np.sqrt(sum(errors))
    pvalue = stats.norm.sf(z) if alternative == "greater" else 2 * stats.norm.sf(abs(z))
    share = masses[0] / sum(masses)
    d = float((means[0] - means[1]) / np.sqrt(np.average(variances, weights=masses)))
    return Association(_correlation(d, share), d, float(pvalue), "weighted z")
