"""P(A | x, y) from a classifier of the group for each label."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from fairsk.base._models import GroupModel


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    y = (X[:, 0] + rng.normal(size=n) > 0).astype(int)
    group = np.digitize(X[:, 1] + y + rng.normal(size=n), [-0.5, 1.0])
    return X, y, group


def test_is_the_classifier_of_the_label():
    X, y, group = rows()
    weight = np.where(X[:, 0] > 0.5, 3.0, 1.0)
    shares = GroupModel(LogisticRegression(), 3).fit(X, y, group, weight).conditional(X)
    for label in (0, 1):
        own = y == label
        alone = LogisticRegression().fit(X[own], group[own], weight[own])
        assert_allclose(shares[:, label], alone.predict_proba(X))
    assert_allclose(shares.sum(axis=2), 1)


def test_a_group_that_a_label_lacks():
    X, y, group = rows()
    kept = (y == 0) | (group != 1)
    model = GroupModel(LogisticRegression(), 3).fit(X[kept], y[kept], group[kept], None)
    shares = model.conditional(X)
    assert (shares[:, 0] > 0).all()
    assert_array_equal(shares[:, 1, 1], 0)
    assert_allclose(shares.sum(axis=2), 1)


def test_a_label_of_one_group():
    X, y, group = rows()
    kept = (y == 0) | (group == 2)
    shares = GroupModel(LogisticRegression(), 3).fit(X[kept], y[kept], group[kept], None)
    assert_array_equal(shares.conditional(X)[:, 1], np.tile([0.0, 0.0, 1.0], (len(X), 1)))


def test_a_label_that_is_absent_or_weighs_nothing():
    X, y, group = rows()
    own = y == 0
    absent = GroupModel(LogisticRegression(), 3).fit(X[own], y[own], group[own], None)
    weightless = GroupModel(LogisticRegression(), 3).fit(X, y, group, own.astype(float))
    overall = np.bincount(group[own], minlength=3) / own.sum()
    for model in (absent, weightless):
        shares = model.conditional(X)
        assert_allclose(shares[:, 1], np.tile(overall, (len(X), 1)))
        assert (shares[:, 0].std(axis=0) > 0.01).all()
