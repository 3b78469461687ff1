"""Problems of demographic parity, and of equalized odds, that look like real ones."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def _population(rng, n, n_groups):
    shares = rng.dirichlet(np.full(n_groups, 3.0))
    # Every group gets two rows at least, so that no rate is 0 / 0.
    groups = np.concatenate(
        [np.repeat(np.arange(n_groups), 2), rng.choice(n_groups, n - 2 * n_groups, p=shares)]
    )
    groups = rng.permutation(groups)
    features = rng.normal(size=n) + rng.normal(scale=0.8, size=n_groups)[groups]
    return groups, 1 / (1 + np.exp(-1.3 * features))


def aware_problem(seed, n, n_groups, tolerance, decimals=None):
    """Return scores, CSR basis, contrasts and bounds when the rule sees the group."""
    rng = np.random.default_rng(seed)
    groups, eta = _population(rng, n, n_groups)
    if decimals is not None:
        eta = np.round(eta, decimals)
    shares = np.bincount(groups, minlength=n_groups) / n
    basis = sparse.csr_array((1 / shares[groups], (np.arange(n), groups)), shape=(n, n_groups))
    return eta - 0.5, basis, *_parity(shares, tolerance)


def blind_problem(seed, n, n_groups, tolerance, dtype=np.float64):
    """Return scores, dense basis, contrasts and bounds when the group is predicted."""
    rng = np.random.default_rng(seed)
    groups, eta = _population(rng, n, n_groups)
    logits = rng.normal(scale=0.7, size=(n, n_groups))
    logits[np.arange(n), groups] += 2.0
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    shares = probabilities.mean(axis=0)
    return eta - 0.5, (probabilities / shares).astype(dtype), *_parity(shares, tolerance)


def tied_problem(seed, n, n_groups, tolerance):
    """Equalized odds when the rule sees the group: two multipliers tie every row of most groups."""
    rng = np.random.default_rng(seed)
    groups, eta = _population(rng, n, n_groups)
    masses = [np.bincount(groups, one, minlength=n_groups) / n for one in (eta, 1 - eta)]
    columns = np.column_stack([groups, groups + n_groups])
    values = np.column_stack([eta / masses[0][groups], (1 - eta) / masses[1][groups]])
    basis = sparse.csr_array(
        (values.ravel(), columns.ravel(), np.arange(0, 2 * n + 1, 2)), shape=(n, 2 * n_groups)
    )
    halves = [_parity(mass / mass.sum(), tolerance)[0] for mass in masses]
    bound = np.full(2 * n_groups, tolerance)
    return eta - 0.5, basis, sparse.block_diag(halves).toarray(), -bound, bound


def _parity(shares, tolerance):
    n_groups = len(shares)
    contrasts = np.eye(n_groups) - shares
    return contrasts, np.full(n_groups, -tolerance), np.full(n_groups, tolerance)
