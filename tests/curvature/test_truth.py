"""Influence against what really happens when a row gets another weight and the model is retrained.

Signs are part of it: every comparison below is of signed changes.
"""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from fairsk.curvature import influence_of_rows, trained_model
from tests._reference.naive_influence import hessian, loss_gradients


@pytest.fixture(scope="module")
def data():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X[:, :10])
    order = np.random.RandomState(0).permutation(len(y))
    rows, held_out = order[:150], order[150:400]
    return X[rows], y[rows], X[held_out], y[held_out]


def logistic(n, l2):
    return LogisticRegression(C=1 / (n * l2), tol=1e-10, max_iter=5_000)


def metric(trained, X):
    """A smooth metric of the model: the mean probability; and its gradient."""
    p = 1 / (1 + np.exp(-trained.scores(X)))
    gradient = trained.model.pull_back(trained.prepare(X), (p * (1 - p) / len(X))[:, None])
    return p.mean(), gradient


def slope_and_correlation(predicted, actual):
    return np.polyfit(predicted, actual, 1)[0], np.corrcoef(predicted, actual)[0, 1]


@pytest.mark.parametrize("l2", [0.1, 0.03])
def test_leave_one_out_of_logistic_regression(l2, data):
    X, y, X_val, _ = data
    n = len(y)
    trained = trained_model(logistic(n, l2).fit(X, y))
    value, gradient = metric(trained, X_val)
    influence, _ = influence_of_rows(trained.objective(X, y), gradient)
    actual = []
    for i in range(n):
        # The mean loss without the row keeps its divisor n, as in the theory.
        weight = np.ones(n)
        weight[i] = 0
        retrained = trained_model(logistic(n, l2).fit(X, y, sample_weight=weight))
        actual.append(metric(retrained, X_val)[0] - value)
    slope, correlation = slope_and_correlation(-influence[:, 0] / n, actual)
    # A whole row is a finite step of relative size 1/n: first order leaves a few per cent.
    assert correlation > 0.99
    assert 0.9 < slope < 1.1


def test_small_perturbations_of_logistic_regression(data):
    X, y, X_val, _ = data
    n, l2, step = len(y), 0.01, 0.01
    trained = trained_model(logistic(n, l2).fit(X, y))
    value, gradient = metric(trained, X_val)
    influence, _ = influence_of_rows(trained.objective(X, y), gradient)
    rows = np.argsort(-np.abs(influence[:, 0]))[:10]
    actual = []
    for i in rows:
        weight = np.ones(n)
        weight[i] += step
        retrained = trained_model(logistic(n, l2).fit(X, y, sample_weight=weight))
        actual.append((metric(retrained, X_val)[0] - value) * n / step)
    # The error of a derivative by a step of 1 %: second order in it.
    np.testing.assert_allclose(actual, influence[rows, 0], rtol=0.02)


def test_the_sign_is_that_of_more_weight(data):
    X, y, X_val, _ = data
    trained = trained_model(logistic(len(y), 0.1).fit(X, y))
    _, gradient = metric(trained, X_val)
    influence, _ = influence_of_rows(trained.objective(X, y), gradient)
    # More weight on positives raises the mean probability, on negatives it lowers it.
    total = [influence[y == label, 0].sum() for label in (0, 1)]
    assert total[0] < 0 < total[1]


def test_against_the_explicit_inverse(data):
    X, y, X_val, _ = data
    model = logistic(len(y), 0.05).fit(X, y)
    trained = trained_model(model)
    _, gradient = metric(trained, X_val)
    influence, _ = influence_of_rows(trained.objective(X, y), gradient)
    theta = np.append(model.coef_, model.intercept_)
    ridge = np.append(np.full(X.shape[1], 0.05), 0.0)
    inverse = np.linalg.inv(hessian(X, theta, ridge))
    expected = [-gradient[0] @ inverse @ g for g in loss_gradients(X, y, theta)]
    # The same numbers in another order: rounding only.
    np.testing.assert_allclose(influence[:, 0], expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_penalty_is_the_estimators(weighted, data):
    X, y, _, _ = data
    weight = np.random.RandomState(0).uniform(0.5, 2, len(y)) if weighted else None
    for model in (
        LogisticRegression(C=0.3, tol=1e-10, max_iter=5_000),
        LogisticRegression(C=0.3, tol=1e-12, max_iter=50_000, solver="liblinear"),
        LogisticRegression(C=0.3, tol=1e-10, max_iter=5_000, class_weight="balanced"),
        LogisticRegression(C=0.3, tol=1e-10, max_iter=5_000, fit_intercept=False),
    ):
        trained = trained_model(model.fit(X, y, sample_weight=weight))
        gradient = trained.objective(X, y, weight).gradient()
        # At a minimum of this very objective, to the solver's own tolerance.
        assert np.abs(gradient).max() < 1e-6, model


def converged_mlp(alpha, n):
    return MLPClassifier(
        (8,),
        activation="tanh",
        solver="lbfgs",
        alpha=alpha * n,
        max_iter=4_000,
        tol=1e-10,
        random_state=0,
        max_fun=100_000,
    )


def test_a_converged_network_with_weight_decay(data):
    pytest.importorskip("torch", reason="needs the neural extra")
    X, y = np.concatenate([data[0], data[2]])[:300], np.concatenate([data[1], data[3]])[:300]
    X_val = data[2][150:]
    n, alpha = len(y), 1e-2
    model = converged_mlp(alpha, n).fit(X, y)
    trained = trained_model(model)
    objective = trained.objective(X, y)
    # The L2 penalty is understood and training has converged: the gradient vanishes.
    assert np.abs(objective.gradient()).max() < 1e-4
    value, gradient = metric(trained, X_val)
    epsilon = 0.1 * np.random.RandomState(1).normal(size=(10, n)) / n
    retrained = [trained_model(_retrain(model, X, y, 1 + n * e)) for e in epsilon]
    actual = [metric(other, X_val)[0] - value for other in retrained]
    # The Hessian is exact to first order; Gauss-Newton leaves out the curvature of the scores.
    for kind, least, width in (("hessian", 0.99, 0.1), ("gauss_newton", 0.95, 0.2)):
        influence, _ = influence_of_rows(objective, gradient, kind=kind)
        slope, correlation = slope_and_correlation(epsilon @ influence[:, 0], actual)
        assert correlation > least
        assert abs(slope - 1) < width


def _retrain(model, X, y, weight):
    """From the trained weights to the minimum nearby."""
    retrained = copy.deepcopy(model).set_params(warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return retrained.fit(X, y, sample_weight=weight)
