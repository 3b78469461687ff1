"""Models that know the distribution they are asked about, and small populations of it."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from fairsk.datasets import make_biased_classification
from fairsk.notions import CellMasses, get_notion

DISTRIBUTION = {"bias": 3.0, "class_sep": 1.0, "group_sep": 2.0, "group_imbalance": 0.4}
N_FEATURES = 4


def simulate(n, seed, n_groups=2):
    return make_biased_classification(
        n,
        n_groups=n_groups,
        n_features=N_FEATURES,
        **DISTRIBUTION,
        random_state=seed,
        return_probabilities=True,
    )


def cell_probabilities(X):
    """P(Y = y, A = a | x) of two groups from the generator's formula, of shape (n, 2, 2)."""
    masses = simulate(1, 0).masses
    means = np.zeros((2, 2, N_FEATURES))
    for y in (0, 1):
        for a in (0, 1):
            means[y, a, 0] = (y - 0.5) * DISTRIBUTION["class_sep"]
            means[y, a, 1] = (a - 0.5) * DISTRIBUTION["group_sep"]
    scores = np.einsum("id,yad->iya", X[:, :N_FEATURES], means)
    return softmax(scores - (means**2).sum(axis=2) / 2 + np.log(masses), axis=(1, 2))


class _Known(ClassifierMixin, BaseEstimator):
    """Learns nothing but the classes."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class KnownLabel(_Known):
    """P(Y | x), or P(Y | x, a) with the group in the last column, rounded if asked."""

    def __init__(self, group_in_X=False, decimals=None):
        self.group_in_X = group_in_X
        self.decimals = decimals

    def predict_proba(self, X):
        cells = cell_probabilities(X)
        if self.group_in_X:
            own = cells[np.arange(len(X)), :, X[:, -1].astype(int)]
            positive = own[:, 1] / own.sum(axis=1)
        else:
            positive = cells[:, 1].sum(axis=1)
        if self.decimals is not None:
            positive = np.round(positive, self.decimals)
        return np.column_stack([1 - positive, positive])


class KnownGroups(_Known):
    """P(A | x, y) of the label that the rows have it was fitted on, told by how likely it is."""

    def fit(self, X, y, sample_weight=None):
        positive = cell_probabilities(X)[:, 1].sum(axis=1)
        share = simulate(1, 0).masses[1].sum()
        self.label_ = int(positive.mean() > share)
        return super().fit(X, y)

    def predict_proba(self, X):
        cells = cell_probabilities(X)[:, self.label_]
        return cells / cells.sum(axis=1, keepdims=True)


class Population:
    """Fresh rows with the true P(Y = 1 | x, a) in place of labels."""

    def __init__(self, n, seed=10**6):
        data = simulate(n, seed)
        self.X, self.group, self.posterior = data.data, data.group, data.posterior

    def violation(self, notion, decision):
        eta = self.posterior
        selected, total = (
            [np.bincount(self.group, weight * p, 2) for p in (1 - eta, eta)]
            for weight in (decision, np.ones(len(eta)))
        )
        masses = CellMasses(np.array(selected), np.array(total), np.zeros(2, dtype=int))
        return get_notion(notion).violation(masses)

    def accuracy(self, decision):
        return np.mean(np.where(decision == 1, self.posterior, 1 - self.posterior))
