"""Draws of permutations against a distribution over all of them."""

from collections import Counter

import numpy as np
from scipy.stats import chi2


def chi_square_pvalue(draws, probabilities):
    """p-value of the chi-square test; cells that expect fewer than five draws are put together."""
    counts = Counter(tuple(int(value) for value in draw) for draw in draws)
    assert set(counts) <= set(probabilities), "a draw has probability zero"
    expected = np.array([len(draws) * p for p in probabilities.values()])
    observed = np.array([counts[pi] for pi in probabilities], dtype=float)
    rare = expected < 5
    if rare.any():
        expected = np.append(expected[~rare], expected[rare].sum())
        observed = np.append(observed[~rare], observed[rare].sum())
    statistic = ((observed - expected) ** 2 / expected).sum()
    return chi2.sf(statistic, len(expected) - 1)


# Seeds are fixed, so that a test either always passes or always fails; under this, a wrong sampler
# is told from a right one with thousands of draws (the tests of wrong ones give less than 1e-10).
SMALLEST_PVALUE = 1e-3
