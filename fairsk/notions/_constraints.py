"""A notion within a tolerance as linear constraints on a decision rule."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from fairsk.notions._masses import CellMasses
from fairsk.notions._notion import FairnessNotion, check_measure


@dataclass(frozen=True)
class LinearConstraints:
    """lower <= contrasts @ E[f U] <= upper, with U the cells weighted per rate and group.

    Column (r, a) of U is u[r, a](x) = sum_y coefficients[r, y, a] g[y, a](x), where
    g[y, a](x) = P(Y = y, A = a | x); columns are ordered by rate, then group. Rate r of group a is
    E[f u[r, a]] + constants[r, a].

    Attributes
    ----------
    coefficients : ndarray of shape (n_rates, 2, n_groups)
    constants : ndarray of shape (n_rates, n_groups)
    contrasts : ndarray of shape (n_rows, n_rates * n_groups)
    lower, upper : ndarray of shape (n_rows,)
    multiplier_of : ndarray of int of shape (n_rows,)
        The signed multiplier that a row belongs to. A difference has one row a multiplier; a
        ratio has an upper and a lower row, which cannot both bind unless the rates are zero.
    on_rates, on_population : ndarray of shape (n_rows, n_rates * n_groups)
        The rows again, as combinations of the groups' rates and of their populations' rates.
    limits : tuple of two floats
        Lower and upper limit of those combinations.
    sign : ndarray of shape (n_rows,)
        0 for a two-sided row, 1 for an upper and -1 for a lower row of a ratio.
    multiplier_names : tuple of str
        What each signed multiplier prices.
    """

    coefficients: np.ndarray
    constants: np.ndarray
    contrasts: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    multiplier_of: np.ndarray
    sign: np.ndarray
    multiplier_names: tuple[str, ...]
    on_rates: np.ndarray
    on_population: np.ndarray
    limits: tuple[float, float]

    def values(self, notion: FairnessNotion, masses: CellMasses) -> np.ndarray:
        """Value of each row for labelled masses, of shape (..., n_rows), to hold against `limits`.

        Unlike ``contrasts``, it normalises by the masses' own totals, so that it also serves
        resamples and decisions of other models.
        """
        shape = (*masses.total.shape[:-2], -1)
        rates = notion.group_rates(masses).reshape(shape)
        population = notion.population_rates(masses).reshape(shape)
        return rates @ self.on_rates.T + population @ self.on_population.T

    @property
    def n_multipliers(self) -> int:
        return len(self.multiplier_names)

    def check_multipliers(self, multipliers: Any) -> np.ndarray:
        """Multipliers given by hand as an array of shape (n_multipliers,).

        Raises
        ------
        ValueError
            If their number is wrong; the message names what each one prices.
        """
        values = np.asarray(multipliers, dtype=float).ravel()
        if values.shape != (self.n_multipliers,) or not np.isfinite(values).all():
            raise ValueError(
                f"multipliers must be {self.n_multipliers} finite numbers, one for each of "
                f"{list(self.multiplier_names)}; got {values.tolist()}."
            )
        return values

    def to_signed(self, row_multipliers: np.ndarray) -> np.ndarray:
        """One signed multiplier a contrast, as the paper's Theorems 1 and 2 print it.

        Positive where the upper bound binds, negative where the lower one does.
        """
        signed = np.where(self.sign == 0, 1, self.sign) * row_multipliers
        return np.bincount(self.multiplier_of, signed, minlength=self.n_multipliers)

    def from_signed(self, multipliers: np.ndarray) -> np.ndarray:
        """The multiplier of every row; the inverse of `to_signed`."""
        values = np.asarray(multipliers, dtype=float)[self.multiplier_of]
        return np.where(self.sign == 0, values, np.maximum(self.sign * values, 0))

    def cell_costs(self, multipliers: np.ndarray) -> np.ndarray:
        """Cost of selecting a member of each cell, of shape (2, n_groups).

        Parameters
        ----------
        multipliers : array-like of shape (n_multipliers,)
            Signed, one a contrast.

        Notes
        -----
        The Bayes rule selects x when eta(x) - c > sum_{y, a} cost[y, a] g[y, a](x).
        """
        n_rates, _, n_groups = self.coefficients.shape
        weights = (self.from_signed(multipliers) @ self.contrasts).reshape(n_rates, n_groups)
        return np.einsum("ra,rya->ya", weights, self.coefficients)

    def tightened(self, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds moved inwards by a margin for each row."""
        return self.lower + margin, self.upper - margin


def linear_constraints(
    notion: FairnessNotion,
    total: np.ndarray,
    family_of: np.ndarray,
    *,
    measure: str = "difference",
    bound: float,
    contrast: str = "population",
    labels: tuple[str, ...] | None = None,
) -> LinearConstraints:
    """Rows of the linear program of the Bayes-optimal fair classifier.

    Parameters
    ----------
    notion : FairnessNotion
    total : ndarray of shape (2, n_groups)
        Masses p[y, a] of the cells, which normalise the rates.
    family_of : ndarray of int of shape (n_groups,)
    measure : {"difference", "ratio"}
        ``|rate_a - rate| <= bound``, or ``bound <= rate_a / rate <= 1 / bound``.
    bound : float
        The tolerance (>= 0) or the ratio's level in (0, 1].
    contrast : {"population", "groups"}
        Each group against its family's population, or every pair of groups of a family.
    labels : tuple of str, optional
        Names of the groups.

    Returns
    -------
    LinearConstraints
        A row a group and rate for differences from the population; a lower and an upper row for
        ratios; a row a pair for differences between groups, two for ratios between groups.

    Raises
    ------
    ValueError
        If a group has no mass to condition on.

    References
    ----------
    Bayes-Optimal Fair Classification with Multiple Sensitive Features, Lemmas 1 and 2.

    Examples
    --------
    >>> from fairsk import get_notion
    >>> total = np.array([[0.3, 0.2], [0.2, 0.3]])
    >>> rows = linear_constraints(
    ...     get_notion("demographic_parity"), total, np.array([0, 0]), bound=0.05
    ... )
    >>> rows.contrasts
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    check_measure(measure, contrast)
    n_groups = total.shape[1]
    labels = labels or tuple(str(a) for a in range(n_groups))
    conditioning = np.stack([rate.conditioning_mass(total) for rate in notion.rates])
    _check_conditioning(notion, conditioning, labels)
    gain = np.array([rate.gain for rate in notion.rates])
    offset = np.array([rate.offset for rate in notion.rates])
    coefficients = gain[:, :, None] / conditioning[:, None, :] * np.ones_like(total)
    constants = np.einsum("ry,ya->ra", offset, total) / conditioning

    build = _population_rows if contrast == "population" else _pair_rows
    two_sided = measure == "difference"
    on_rates, on_population, signs, index = [], [], [], []
    names: list[str] = []
    for r, rate in enumerate(notion.rates):
        for family in np.unique(family_of):
            members = np.flatnonzero(family_of == family)
            own, population, block_names = build(members, n_groups, measure, bound, labels)
            on_rates.append(_place(own, r, len(notion.rates)))
            on_population.append(_place(population, r, len(notion.rates)))
            index += list(np.resize(np.arange(len(block_names)), len(own)) + len(names))
            signs += [0] * len(own) if two_sided else list(np.repeat([1, -1], len(block_names)))
            names += [f"{rate.name}: {name}" for name in block_names]
    rate_rows, population_rows = np.concatenate(on_rates), np.concatenate(on_population)
    contrasts = rate_rows + population_rows @ _population_shares(conditioning, family_of)
    shift = contrasts @ constants.ravel()
    limits = (-bound, bound) if two_sided else (-np.inf, 0.0)
    return LinearConstraints(
        coefficients=coefficients,
        constants=constants,
        contrasts=contrasts,
        lower=limits[0] - shift,
        upper=limits[1] - shift,
        multiplier_of=np.array(index),
        sign=np.array(signs),
        multiplier_names=tuple(names),
        on_rates=rate_rows,
        on_population=population_rows,
        limits=limits,
    )


def _place(block: np.ndarray, r: int, n_rates: int) -> np.ndarray:
    """Rows over the groups of rate r, as rows over all rates."""
    full = np.zeros((len(block), n_rates, block.shape[1]))
    full[:, r, :] = block
    return full.reshape(len(block), -1)


def _population_shares(conditioning: np.ndarray, family_of: np.ndarray) -> np.ndarray:
    """Matrix that turns the groups' rates into their populations' rates."""
    same_family = (family_of[:, None] == family_of[None, :]).astype(float)
    blocks = [same_family * mass / (same_family @ mass)[:, None] for mass in conditioning]
    return block_diag(*blocks)


def _population_rows(
    members: np.ndarray, n_groups: int, measure: str, bound: float, labels: tuple
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    own = np.eye(n_groups)[members]
    if measure == "difference":
        return own, -own, [f"{labels[a]} - population" for a in members]
    names = [f"{labels[a]} / population" for a in members]
    return np.concatenate([bound * own, -own]), np.concatenate([-own, bound * own]), names


def _pair_rows(
    members: np.ndarray, n_groups: int, measure: str, bound: float, labels: tuple
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    pairs = list(combinations(members, 2))
    first, second = np.eye(n_groups)[[a for a, _ in pairs]], np.eye(n_groups)[[b for _, b in pairs]]
    if measure == "difference":
        rows, names = first - second, [f"{labels[a]} - {labels[b]}" for a, b in pairs]
    else:
        rows = np.concatenate([bound * first - second, bound * second - first])
        names = [f"{labels[a]} / {labels[b]}" for a, b in pairs]
    return rows, np.zeros_like(rows), names


def _check_conditioning(notion: FairnessNotion, conditioning: np.ndarray, labels: tuple) -> None:
    for rate, mass in zip(notion.rates, conditioning, strict=True):
        empty = [labels[a] for a in np.flatnonzero(mass <= 0)]
        if empty:
            of_one_label: dict[tuple[float, float], str] = {
                (0, 1): "positive rows (y = 1)",
                (1, 0): "negative rows (y = 0)",
            }
            needed = of_one_label.get(rate.condition, "rows")
            raise ValueError(
                f"{notion.name} compares the {rate.name} of groups, but group "
                f"{', '.join(map(repr, empty))} has no {needed}. Merge it with another group, "
                f"mark it missing (group unknown), or choose a notion that does not need them."
            )
