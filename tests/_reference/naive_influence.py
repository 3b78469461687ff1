"""The balancing of influence as the paper prints it: loops, explicit inverses, gradient descent.

One row at a time and every gradient stored; the fast versions are held against it.
"""

from __future__ import annotations

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def loss_gradients(X, y, theta):
    """grad l(z_i, theta) of logistic regression, the last parameter being the intercept."""
    gradients = []
    for x, label in zip(X, y, strict=True):
        features = np.append(x, 1.0)
        gradients.append((sigmoid(features @ theta) - label) * features)
    return np.array(gradients)


def hessian(X, theta, ridge):
    """(1/n) sum of the rows' Hessians, and the penalty's."""
    total = np.diag(np.asarray(ridge, dtype=float))
    for x in X:
        features = np.append(x, 1.0)
        p = sigmoid(features @ theta)
        total += p * (1 - p) * np.outer(features, features) / len(X)
    return total


def surrogate_rate(X, rows, theta, temperature, label):
    """F and its gradient: mean of sigma(+-z / temperature) over the rows, as TPR or TNR."""
    sign = 1 if label == 1 else -1
    value, gradient = 0.0, np.zeros(len(theta))
    for i in rows:
        features = np.append(X[i], 1.0)
        s = sigmoid(sign * (features @ theta) / temperature)
        value += s / len(rows)
        gradient += sign * s * (1 - s) / temperature * features / len(rows)
    return value, gradient


def gumbel_rate(logits, rows, temperature, label, draws):
    """F by the Gumbel-softmax of two logits; draws of shape (n_draws, n_rows_of_logits, 2)."""
    total = 0.0
    for noise in draws:
        for i in rows:
            a = np.exp((logits[i] + noise[i]) / temperature)
            total += a[label] / a.sum() / (len(rows) * len(draws))
    return total


def paper_coefficients(X, y, X_val, y_val, s_val, theta, ridge, temperature):
    """d_F and v of equation (14) for TPR and TNR, with the right normalisation.

    Returns
    -------
    d : ndarray of shape (2,)
        F(D^1) - F(D^0).
    v : ndarray of shape (2, n)
        (mean grad F over D^1 - mean grad F over D^0)' H^-1 grad l(z_i).
    """
    inverse = np.linalg.inv(hessian(X, theta, ridge))
    gradients = loss_gradients(X, y, theta)
    d, v = [], []
    for label in (1, 0):
        parts = []
        for group in (0, 1):
            rows = [j for j in range(len(y_val)) if y_val[j] == label and s_val[j] == group]
            parts.append(surrogate_rate(X_val, rows, theta, temperature, label))
        (F0, g0), (F1, g1) = parts
        d.append(F1 - F0)
        v.append([(g1 - g0) @ inverse @ gradient for gradient in gradients])
    return np.array(d), np.array(v)


def paper_objective(epsilon, d, v, penalty):
    """Equation (14)."""
    total = penalty * np.sqrt(np.sum(epsilon**2))
    for k in range(len(d)):
        total += (d[k] - v[k] @ epsilon) ** 2
    return total


def gradient_descent(d, v, penalty, n_steps, lower=-np.inf, start=1e-6):
    """Equation (14) by (projected) gradient descent, the paper's way; steps of 1 / curvature."""
    epsilon = np.full(v.shape[1], start)
    for _ in range(n_steps):
        size = np.linalg.norm(epsilon)
        curvature = 2 * np.linalg.norm(v @ v.T, 2) + penalty / max(size, 1e-12)
        gradient = 2 * v.T @ (v @ epsilon - d) + penalty * epsilon / max(size, 1e-12)
        epsilon = np.maximum(epsilon - gradient / curvature, lower)
    return epsilon
