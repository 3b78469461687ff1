"""P(Y = y, A = a | x), the only thing the Bayes rule knows of a person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class JointProbabilities:
    """Probabilities of the cells (label, group) for each row.

    Attribute-blind, the probabilities of a row spread over the groups; attribute-aware, the group
    is known and only the label is uncertain.

    Attributes
    ----------
    posterior : ndarray of shape (n_samples,)
        eta(x) = P(Y = 1 | x).
    conditional : ndarray of shape (n_samples, 2, n_groups), optional
        P(A = a | x, y), attribute-blind. Sums to one over the groups of each family.
    codes : ndarray of int of shape (n_samples, n_families), optional
        Index of the known group, counted over all families, attribute-aware; -1 is unknown.
    marginal : ndarray of shape (n_families, 2, n_groups), optional
        P(A = a | y) over the groups of each family, which stands in for an unknown group.

    Examples
    --------
    >>> joint = JointProbabilities(np.array([0.2, 0.6]), codes=np.array([[0], [1]]),
    ...                            marginal=np.full((1, 2, 2), 0.5))
    >>> joint.weighted(np.array([[0.0, 0.0], [1.0, 10.0]]))
    array([0.2, 6. ])
    """

    posterior: np.ndarray
    conditional: np.ndarray | None = None
    codes: np.ndarray | None = None
    marginal: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.posterior)

    @property
    def is_aware(self) -> bool:
        return self.codes is not None

    def _codes(self) -> np.ndarray:
        if self.codes is None:
            raise ValueError("JointProbabilities needs either conditional or codes.")
        return self.codes

    def label_probabilities(self) -> np.ndarray:
        """P(Y = y | x) of shape (n_samples, 2)."""
        return np.column_stack([1 - self.posterior, self.posterior])

    def take(self, rows: np.ndarray) -> JointProbabilities:
        """The same for some of the rows."""
        return replace(
            self,
            posterior=self.posterior[rows],
            conditional=None if self.conditional is None else self.conditional[rows],
            codes=None if self.codes is None else self.codes[rows],
        )

    def masses(self, weight: np.ndarray, n_groups: int) -> np.ndarray:
        """sum_i weight[i] g[y, a](x_i), of shape (2, n_groups)."""
        labels = self.label_probabilities() * weight[:, None]
        if self.conditional is not None:
            return np.einsum("iy,iya->ya", labels, self.conditional, optimize=True)
        total = np.zeros((2, n_groups))
        for codes in self._codes().T:
            known = codes >= 0
            for y in (0, 1):
                total[y] += np.bincount(codes[known], labels[known, y], n_groups)
        return total

    def weighted(self, costs: np.ndarray) -> np.ndarray:
        """sum_{y, a} costs[y, a] g[y, a](x), of shape (n_samples,)."""
        labels = self.label_probabilities()
        if self.conditional is not None:
            return np.einsum("iy,iya,ya->i", labels, self.conditional, costs, optimize=True)
        result = np.zeros(len(self))
        shares = np.zeros((0, 2, 0)) if self.marginal is None else self.marginal
        for codes, marginal in zip(self._codes().T, shares, strict=True):
            unknown = (marginal * costs).sum(axis=1)
            per_label = np.where((codes >= 0)[:, None], costs.T[codes], unknown)
            result += (labels * per_label).sum(axis=1)
        return result

    def basis(self, coefficients: np.ndarray) -> np.ndarray | sparse.csr_array:
        """U with u[r, a](x) = sum_y coefficients[r, y, a] g[y, a](x).

        Parameters
        ----------
        coefficients : ndarray of shape (n_rates, 2, n_groups)

        Returns
        -------
        ndarray or csr_array of shape (n_samples, n_rates * n_groups)
            Sparse when attribute-aware: a row touches its own groups only.
        """
        n_rates, _, n_groups = coefficients.shape
        labels = self.label_probabilities()
        if self.conditional is not None:
            result = np.empty((len(self), n_rates * n_groups))
            for r, block in enumerate(coefficients):
                result[:, r * n_groups : (r + 1) * n_groups] = np.einsum(
                    "iy,iya,ya->ia", labels, self.conditional, block, optimize=True
                )
            return result
        columns: list[np.ndarray] = []
        values: list[np.ndarray] = []
        for r, block in enumerate(coefficients):
            for codes in self._codes().T:
                known = codes >= 0
                columns.append(np.where(known, codes, 0) + r * n_groups)
                values.append(np.where(known, (labels * block.T[codes]).sum(axis=1), 0.0))
        per_row = len(columns)
        indptr = np.arange(0, per_row * len(self) + 1, per_row)
        data = np.column_stack(values).ravel()
        indices = np.column_stack(columns).ravel()
        return sparse.csr_array((data, indices, indptr), shape=(len(self), n_rates * n_groups))

    def keys(self, rows: np.ndarray, *, coarse: bool = False) -> np.ndarray:
        """What the rule sees of these rows, of shape (n_rows, n_values): equal keys are tied.

        Coarse keys leave the posterior out: the groups when attribute-aware, the same key for all
        when attribute-blind.
        """
        if coarse:
            return (
                np.zeros((len(rows), 1)) if self.codes is None else self.codes[rows].astype(float)
            )
        seen = self._codes() if self.conditional is None else self.conditional
        seen = seen[rows].reshape(len(rows), -1)
        return np.column_stack([self.posterior[rows], seen])
