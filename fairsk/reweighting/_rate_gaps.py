"""The gaps to close: smooth rates of groups on the validation rows, and their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from fairsk.notions import (
    FairnessNotion,
    GroupRate,
    LinearConstraints,
    cell_masses,
    get_notion,
    linear_constraints,
)
from fairsk.utils import Groups

SURROGATES = ("sigmoid", "gumbel")
GAP_CONTRASTS = ("auto", "population", "groups")
_RATES = {
    "tpr": GroupRate("true_positive_rate", gain=(0, 1), offset=(0, 0), condition=(0, 1)),
    "tnr": GroupRate("true_negative_rate", gain=(-1, 0), offset=(1, 0), condition=(1, 0)),
}


def resolve_targets(targets: Any) -> FairnessNotion:
    """The rates to equalise, as one notion.

    Parameters
    ----------
    targets : str, FairnessNotion or sequence of them
        ``"tpr"``, ``"tnr"``, or a notion of the toolkit, by name or itself.

    Raises
    ------
    ValueError
        If a name is unknown, the sequence is empty, or a notion has several tasks.

    Examples
    --------
    >>> resolve_targets(("tpr", "demographic_parity")).rate_names
    ('true_positive_rate', 'selection_rate')
    """
    items = [targets] if isinstance(targets, str | FairnessNotion) else list(targets)
    if not items:
        raise ValueError("targets is empty: name at least one rate or notion.")
    rates: list[GroupRate] = []
    for item in items:
        if isinstance(item, str) and item in _RATES:
            found: tuple[GroupRate, ...] = (_RATES[item],)
        else:
            notion = _notion(item)
            if notion.multilabel:
                raise ValueError(f"targets takes notions of one task, got {notion.name!r}.")
            found = notion.rates
        rates += [rate for rate in found if rate not in rates]
    return FairnessNotion(" and ".join(rate.name for rate in rates), tuple(rates), "balanced rates")


def _notion(item: Any) -> FairnessNotion:
    try:
        return get_notion(item)
    except ValueError as error:
        raise ValueError(f"targets takes {sorted(_RATES)} and notions: {error}") from None


@dataclass(frozen=True)
class Surrogate:
    """A smooth decision in place of z > 0.

    Attributes
    ----------
    kind : {"sigmoid", "gumbel"}
        sigma(z / temperature), or the paper's Gumbel-softmax: the mean over draws of
        sigma((z + g1 - g0) / temperature) with Gumbel noise g.
    temperature : float
    n_draws : int
    random_state : int or None
        The noise is the same for every z of as many rows.
    """

    kind: str = "sigmoid"
    temperature: float = 1.0
    n_draws: int = 20
    random_state: int | None = None

    def check(self) -> None:
        """Refuse settings out of range."""
        if self.kind not in SURROGATES:
            raise ValueError(f"surrogate must be one of {list(SURROGATES)}, got {self.kind!r}.")
        if not 0 < self.temperature < np.inf:
            raise ValueError(f"temperature must be a positive number, got {self.temperature!r}.")
        if self.n_draws < 1:
            raise ValueError(f"n_draws must be at least 1, got {self.n_draws!r}.")

    def __call__(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The decision and its derivative in z, each of shape (n_samples,)."""
        if self.kind == "sigmoid":
            return self._soft(z)
        rng = np.random.RandomState(self.random_state)
        value, slope = np.zeros(len(z)), np.zeros(len(z))
        for _ in range(self.n_draws):
            # The difference of two Gumbel variables is logistic.
            drawn = self._soft(z + rng.logistic(size=len(z)))
            value += drawn[0] / self.n_draws
            slope += drawn[1] / self.n_draws
        return value, slope

    def _soft(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = expit(z / self.temperature)
        return value, value * expit(-z / self.temperature) / self.temperature


class RateGaps:
    """Gaps between groups' rates on labelled rows, as functions of the rows' scores.

    Parameters
    ----------
    notion : FairnessNotion
    y : ndarray of int of shape (n_samples,)
    groups : Groups
    sample_weight : ndarray of shape (n_samples,) or None
    contrast : {"auto", "population", "groups"}
        "groups" is the difference of every two groups, "population" of each group and everybody;
        "auto" is the former where there are two groups (the paper's), else the latter.
    surrogate : Surrogate

    Attributes
    ----------
    names : tuple of str
        One a gap.
    """

    def __init__(
        self,
        notion: FairnessNotion,
        y: np.ndarray,
        groups: Groups,
        sample_weight: np.ndarray | None,
        contrast: str,
        surrogate: Surrogate,
    ) -> None:
        self.surrogate = surrogate
        if contrast == "auto":
            has_pairs = all(len(family) == 2 for family in groups.families)
            contrast = "groups" if has_pairs else "population"
        total = cell_masses(y, np.ones(len(y)), groups, sample_weight=sample_weight).total
        rows = linear_constraints(
            notion, total, groups.family_of, bound=0.0, contrast=contrast, labels=groups.labels
        )
        self.names = rows.multiplier_names
        self._contrasts, self._constants = rows.contrasts, rows.constants.ravel()
        self._coefficients = _row_coefficients(rows, y, groups, sample_weight)

    def soft(self, z: np.ndarray) -> np.ndarray:
        """Gaps of the smooth decision, shape (n_gaps,)."""
        return self._of(self.surrogate(z)[0])

    def hard(self, z: np.ndarray) -> np.ndarray:
        """Gaps of the decision z > 0 itself, shape (n_gaps,)."""
        return self._of((z > 0).astype(float))

    def _of(self, decision: np.ndarray) -> np.ndarray:
        return self._contrasts @ (self._coefficients.T @ decision + self._constants)

    def derivatives(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of the smooth gaps in the scores, by a basis of independent combinations.

        Gaps of k groups against their population have rank k - 1: fewer solves than gaps.

        Returns
        -------
        basis : ndarray of shape (n_samples, rank)
        mix : ndarray of shape (n_gaps, rank)
            Gap k has the derivatives ``basis @ mix[k]``.
        """
        left, size, right = np.linalg.svd(self._contrasts, full_matrices=False)
        keep = size > 1e-10 * size.max()
        slope = self.surrogate(z)[1]
        return slope[:, None] * (self._coefficients @ right[keep].T), left[:, keep] * size[keep]


def _row_coefficients(
    rows: LinearConstraints, y: np.ndarray, groups: Groups, sample_weight: np.ndarray | None
) -> np.ndarray:
    """What each row's decision adds to each rate of each group: (n_samples, n_rates * n_groups)."""
    members = groups.indicators().toarray()
    if sample_weight is not None:
        members = members * sample_weight[:, None]
    each = rows.coefficients[:, y, :] * members  # (n_rates, n_samples, n_groups)
    return each.transpose(1, 0, 2).reshape(len(y), -1)


def check_contrast(contrast: str) -> None:
    """Refuse an unknown contrast."""
    if contrast not in GAP_CONTRASTS:
        raise ValueError(f"contrast must be one of {list(GAP_CONTRASTS)}, got {contrast!r}.")


def describe(names: Sequence[str], gaps: np.ndarray) -> str:
    """Gaps to print.

    Examples
    --------
    >>> describe(["a", "b"], np.array([0.12, -0.1]))
    'a: +0.120; b: -0.100'
    """
    return "; ".join(f"{name}: {gap:+.3f}" for name, gap in zip(names, gaps, strict=True))
