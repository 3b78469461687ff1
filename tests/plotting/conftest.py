"""Figures without a screen, closed after each test; nothing global of matplotlib may change."""

import copy

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def untouched_matplotlib():
    import matplotlib.pyplot as plt

    before = copy.deepcopy(dict(matplotlib.rcParams))
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def sample():
    """Labels, probabilities and three groups, of which ten rows are unknown."""
    rng = np.random.default_rng(0)
    n = 900
    group = np.array(["left", "middle", "right"], dtype=object)[rng.integers(0, 3, n)]
    probability = rng.beta(2, 2, n)
    y = (rng.random(n) < probability).astype(int)
    group[:10] = None
    return y, probability, group
