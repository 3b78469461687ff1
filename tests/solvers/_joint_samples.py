"""Samples of people whose probabilities P(Y, A | x) are known."""

from __future__ import annotations

import numpy as np

from fairsk.datasets import make_biased_classification
from fairsk.solvers import JointProbabilities

SHAPE = (2, 3)
# Groups of each family: all combinations, or those of each feature apart.
FAMILIES = {"intersectional": [[0, 1, 2, 3, 4, 5]], "independent": [[0, 1], [2, 3, 4]]}


def simulate(seed, n):
    return make_biased_classification(
        n,
        n_groups=SHAPE,
        n_features=4,
        bias=3.0,
        class_sep=1.0,
        group_sep=2.0,
        random_state=seed,
        return_probabilities=True,
    )


def of_features(groups):
    """Sum over the cells of each feature's level, of shape (6, n_groups)."""
    if groups == "intersectional":
        return np.eye(6)
    first, second = np.divmod(np.arange(6), 3)
    return np.column_stack([np.eye(2)[first], np.eye(3)[second]])


def joint_sample(seed, n, *, aware, groups="intersectional", unknown=0.0, decimals=None):
    """`JointProbabilities` of n rows; some groups unknown, the posterior rounded, if asked."""
    data = simulate(seed, n)
    rng = np.random.default_rng(seed)
    if aware:
        membership = of_features(groups)[data.group].astype(bool)
        codes = np.array([np.flatnonzero(row) for row in membership])
        codes[rng.random(codes.shape) < unknown] = -1
        posterior = data.posterior
        if decimals is not None:
            posterior = np.round(posterior, decimals)
        shares = np.zeros((len(FAMILIES[groups]), 2, len(of_features(groups).T)))
        for family, members in enumerate(FAMILIES[groups]):
            shares[family][:, members] = rng.dirichlet(np.ones(len(members)), size=2)
        return JointProbabilities(posterior, codes=codes, marginal=shares)
    joint = data.joint_probabilities @ of_features(groups)
    posterior = data.joint_probabilities[:, 1].sum(axis=1)
    labels = np.column_stack([1 - posterior, posterior])
    conditional = joint / labels[:, :, None]
    if decimals is not None:
        # Rows with equal values are tied: round what the rule sees.
        posterior = np.round(posterior, decimals)
        conditional = np.round(conditional, decimals)
        conditional[:, :, -1] = 1 - conditional[:, :, :-1].sum(axis=2)
    return JointProbabilities(posterior, conditional=conditional)


def family_of(groups):
    return np.repeat(np.arange(len(FAMILIES[groups])), [len(f) for f in FAMILIES[groups]])


def random_weight(seed, n):
    weight = np.random.default_rng(seed).random(n) + 0.5
    return weight / weight.sum()
