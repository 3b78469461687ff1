"""Selection masses: what every notion is a function of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairsk.utils import Groups


@dataclass(frozen=True)
class CellMasses:
    """Masses of the cells (label y, group a), possibly of many resamples at once.

    Attributes
    ----------
    selected : ndarray of shape (..., 2, n_groups)
        E[h 1{Y = y, A = a}], the mass of positive decisions.
    total : ndarray of shape (..., 2, n_groups)
        E[1{Y = y, A = a}].
    family_of : ndarray of int of shape (n_groups,)
        The family of each group; the groups of a family partition the rows known in it.
    """

    selected: np.ndarray
    total: np.ndarray
    family_of: np.ndarray

    @property
    def n_groups(self) -> int:
        return self.total.shape[-1]


def cell_masses(
    y: np.ndarray,
    decision: np.ndarray,
    groups: Groups,
    *,
    sample_weight: np.ndarray | None = None,
) -> CellMasses:
    """Masses of the cells of a labelled sample.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels, 0 or 1.
    decision : ndarray of shape (n_samples,)
        Decisions in [0, 1]: labels, probabilities or a randomised rule.
    groups : Groups
        Group membership; rows of unknown group are left out of that family's cells.
    sample_weight : ndarray of shape (n_samples,), optional

    Returns
    -------
    CellMasses
        In units of the weights (of rows, where there are none).

    Examples
    --------
    >>> from fairsk.utils import GroupEncoder
    >>> groups = GroupEncoder().fit_transform(["a", "a", "b", "b"])
    >>> masses = cell_masses(np.array([0, 1, 1, 1]), np.array([1, 1, 0, 1]), groups)
    >>> masses.selected.tolist(), masses.total.tolist()
    ([[1.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 2.0]])
    """
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    n_groups = groups.n_groups
    selected, total = np.zeros((2, n_groups)), np.zeros((2, n_groups))
    for flat in groups.flat_codes().T:
        known = flat >= 0
        cell = np.asarray(y)[known].astype(np.intp) * n_groups + flat[known]
        mass = weight[known]
        selected += np.bincount(cell, mass * decision[known], 2 * n_groups).reshape(2, -1)
        total += np.bincount(cell, mass, 2 * n_groups).reshape(2, -1)
    return CellMasses(selected, total, groups.family_of)
