"""Simulated data whose probabilities are known in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, softmax
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_scalar


def make_biased_classification(
    n_samples: int = 1000,
    *,
    n_groups: int | Sequence[int] = 2,
    n_features: int = 4,
    bias: float = 2.0,
    group_imbalance: float = 0.0,
    class_sep: float = 2.0,
    group_sep: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
    return_probabilities: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Generate a biased binary classification problem with known probabilities.

    A group is drawn, then a label given the group, then normal features given both:

    .. math::
        A \sim p, \qquad Y \mid A=a \sim \mathrm{Bernoulli}(\sigma(\beta z_a)), \qquad
        X \mid Y=y, A=a \sim N(\mu_{y,a}, I).

    With :math:`l_{a,j} \in [-1/2, 1/2]` the evenly spaced level of sensitive feature j in
    group a and :math:`z_a` its mean over j, the bias :math:`\beta` is the log-odds ratio of a
    positive label between the two extreme groups. The mean is
    :math:`\mu_{y,a} = (y - 1/2)\, s\, e_0 + \sum_j l_{a,j}\, g\, e_{1+j \bmod (d-1)}`: the class
    moves the first feature by :math:`s` and the groups the others by :math:`g`.

    Bayes' rule then gives every probability exactly, so that the optimal fair rule can be computed
    without estimating anything and a fitted one be held against it. With ``bias=0`` the label is
    independent of the group and the Bayes rule satisfies every group notion; with
    ``group_sep=0`` the features say nothing about the group given the label.

    Parameters
    ----------
    n_samples : int, default=1000
    n_groups : int or sequence of int, default=2
        Number of levels of the sensitive feature, or of each of several; K is their product.
    n_features : int, default=4
        At least 2. Features that neither class nor groups move are noise.
    bias : float, default=2.0
        Log-odds ratio between the extreme groups; negative turns the order of the groups round.
    group_imbalance : float in [0, 1), default=0.0
        Each level of a sensitive feature is this share rarer than the level before it; at 0 all
        groups are equally likely. The sensitive features are independent of each other.
    class_sep, group_sep : float, default=2.0, 1.0
        Distance between the class means and between the extreme levels of a sensitive feature,
        in standard deviations of a feature.
    random_state : int, RandomState instance or None, default=None
        Decides the sample only: the distribution is fixed by the other parameters, so that two
        seeds give a training and a test set of the same problem.
    return_probabilities : bool, default=False
        Whether to return a Bunch with the probabilities instead of a tuple.

    Returns
    -------
    (X, y, sensitive_features) : tuple of ndarray
        Of shape (n_samples, n_features), float64; (n_samples,), 0 or 1; and
        (n_samples, n_sensitive_features), strings "g0", "g1", ... (dtype object).

    data : :class:`~sklearn.utils.Bunch`, if `return_probabilities`
        The three as `data`, `target`, `sensitive_features`, and

        * joint_probabilities : ndarray of shape (n_samples, 2, K)
          ``[i, y, k]`` is P(Y=y, A=k | X=x_i); each row i sums to one.
        * group_probabilities : ndarray of shape (n_samples, K)
          P(A=k | X=x_i).
        * posterior : ndarray of shape (n_samples,)
          P(Y=1 | X=x_i, A=a_i), for the row's own group.
        * group : ndarray of shape (n_samples,), int
          Index k of the row's group.
        * groups : ndarray of shape (K, n_sensitive_features), dtype object
          The strings of group k.
        * masses : ndarray of shape (2, K)
          P(Y=y, A=k) in the population.
        * feature_names, target_names, sensitive_feature_names : list of str
        * DESCR : str

    Notes
    -----
    The features are normal with one covariance, the setting of linear discriminant analysis.
    Logistic regression on X and the one-hot group is therefore well specified for P(Y | X, A),
    and multinomial logistic regression on X for P(Y, A | X): this is no test of what a method
    does when its base model is wrong.

    Examples
    --------
    >>> from fairsk.datasets import make_biased_classification
    >>> data = make_biased_classification(
    ...     500, n_groups=(2, 3), random_state=0, return_probabilities=True)
    >>> data.data.shape, data.sensitive_features.shape, data.joint_probabilities.shape
    ((500, 4), (500, 2), (500, 2, 6))
    >>> data.sensitive_features[0].tolist() == data.groups[data.group[0]].tolist()
    True
    """
    shape = _check_groups(n_groups)
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(n_features, "n_features", Integral, min_val=2)
    check_scalar(
        group_imbalance, "group_imbalance", Real, min_val=0, max_val=1, include_boundaries="left"
    )
    for name, value in (("bias", bias), ("class_sep", class_sep), ("group_sep", group_sep)):
        check_scalar(value, name, Real)
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite; got {value}.")
    rng = check_random_state(random_state)

    # Groups are the cells of `shape` in C order: level of feature j in group k.
    level = np.stack([index.ravel() for index in np.indices(shape)], axis=1)
    log_masses = _log_masses(level, shape, bias, group_imbalance)
    masses = np.exp(log_masses)
    means = np.zeros((2, len(level), n_features))
    means[:, :, 0] = np.array([[-0.5], [0.5]]) * class_sep
    for j, spread in enumerate(_centred(level, shape).T):
        means[:, :, 1 + j % (n_features - 1)] += group_sep * spread

    # One draw of the pair (label, group), flattened with the label as the slow index.
    cell = rng.choice(masses.size, size=n_samples, p=masses.ravel())
    y, group = np.divmod(cell, len(level))
    X = means[y, group] + rng.standard_normal((n_samples, n_features))
    groups = np.array([[f"g{value}" for value in row] for row in level], dtype=object)
    sensitive_features = groups[group]
    if not return_probabilities:
        return X, y, sensitive_features

    scores = _joint_scores(X, log_masses, means)
    joint = softmax(scores, axis=(1, 2))
    own = scores[np.arange(n_samples), :, group]
    return Bunch(
        data=X,
        target=y,
        sensitive_features=sensitive_features,
        joint_probabilities=joint,
        group_probabilities=joint.sum(axis=1),
        posterior=expit(own[:, 1] - own[:, 0]),
        group=group,
        groups=groups,
        masses=masses,
        feature_names=[f"x{j}" for j in range(n_features)],
        target_names=["0", "1"],
        sensitive_feature_names=[f"sensitive_{j}" for j in range(len(shape))],
        DESCR="Simulated normal features with known P(Y, A | X).",
    )


def _check_groups(n_groups: Any) -> tuple[int, ...]:
    """The number of levels of each sensitive feature."""
    shape = (n_groups,) if isinstance(n_groups, Integral) else tuple(n_groups)
    if not shape or not all(isinstance(k, Integral) and int(k) >= 2 for k in shape):
        raise ValueError(
            "n_groups must be an int of at least 2, or a sequence of such ints, one for each "
            f"sensitive feature; got {n_groups!r}."
        )
    return tuple(int(k) for k in shape)


def _centred(level: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Levels spread evenly over [-1/2, 1/2], so that `bias` and `group_sep` are full ranges."""
    return level / (np.array(shape) - 1) - 0.5


def _log_masses(
    level: np.ndarray, shape: tuple[int, ...], bias: float, group_imbalance: float
) -> np.ndarray:
    """log P(Y=y, A=k), of shape (2, K)."""
    weight = (1.0 - group_imbalance) ** level.sum(axis=1)
    logit = bias * _centred(level, shape).mean(axis=1)
    return np.stack([log_expit(-logit), log_expit(logit)]) + np.log(weight / weight.sum())


def _joint_scores(X: np.ndarray, log_masses: np.ndarray, means: np.ndarray) -> np.ndarray:
    """log P(Y=y, A=k | X=x) up to a term of x alone, of shape (n_samples, 2, K).

    The covariance is the identity everywhere, so ||x||^2 cancels and the log-density is linear
    in x. Staying with logarithms keeps far-out points from becoming 0 / 0.
    """
    centres = means.reshape(log_masses.size, -1)
    scores = X @ centres.T - 0.5 * (centres**2).sum(axis=1) + log_masses.ravel()
    return scores.reshape(len(X), *log_masses.shape)
