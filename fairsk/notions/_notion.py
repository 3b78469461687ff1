"""Rates of groups and the contrasts between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairsk.notions._empty import apply_empty_rule, check_empty
from fairsk.notions._masses import CellMasses

MEASURES = ("difference", "ratio")
CONTRASTS = ("population", "groups")


@dataclass(frozen=True)
class GroupRate:
    """A rate of each group, linear in the selection masses.

    With p[y, a] the mass of label y in group a, the rate of group a is

        sum_y (gain[y] m[y, a] + offset[y] p[y, a]) / sum_y condition[y] p[y, a].

    Parameters
    ----------
    name : str
        What it is called, such as ``"true_positive_rate"``.
    gain, offset, condition : tuple of two floats
        Coefficients for y = 0 and y = 1.

    Examples
    --------
    >>> error = GroupRate("error_rate", gain=(1, -1), offset=(0, 1), condition=(1, 1))
    >>> selected = np.array([[1.0], [1.0]])  # one false positive, one true positive
    >>> error.of(selected, total=np.array([[4.0], [1.0]]))
    array([0.2])
    """

    name: str
    gain: tuple[float, float]
    offset: tuple[float, float]
    condition: tuple[float, float]

    def conditioning_mass(self, total: np.ndarray) -> np.ndarray:
        """Mass that the rate is conditional on, of shape (..., n_groups)."""
        return _over_labels(self.condition, total)

    def of(self, selected: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Rates of shape (..., n_groups) from masses (..., 2, n_groups); NaN where empty."""
        numerator = _over_labels(self.gain, selected) + _over_labels(self.offset, total)
        denominator = self.conditioning_mass(total)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(denominator > 0, numerator / denominator, np.nan)


def _over_labels(coefficients: tuple[float, float], masses: np.ndarray) -> np.ndarray:
    return coefficients[0] * masses[..., 0, :] + coefficients[1] * masses[..., 1, :]


@dataclass(frozen=True)
class FairnessNotion:
    """A fairness notion: the rates that must be equal between groups.

    Parameters
    ----------
    name : str
    rates : tuple of GroupRate
        All of them must be equal between groups; equalized odds has two.
    description : str
        One line for tables and error messages.
    multilabel : bool, default=False
        Whether labels and decisions of several tasks are first joined by their maximum.

    Examples
    --------
    >>> from fairsk import get_notion
    >>> from fairsk.notions import CellMasses
    >>> masses = CellMasses(
    ...     selected=np.array([[10.0, 5.0], [30.0, 5.0]]),
    ...     total=np.array([[50.0, 60.0], [50.0, 40.0]]),
    ...     family_of=np.array([0, 0]),
    ... )
    >>> parity = get_notion("demographic_parity")
    >>> parity.group_rates(masses)
    array([[0.4, 0.1]])
    >>> parity.disparities(masses)
    array([[ 0.15, -0.15]])
    >>> parity.violation(masses, contrast="groups")
    0.3
    """

    name: str
    rates: tuple[GroupRate, ...]
    description: str
    multilabel: bool = False

    @property
    def rate_names(self) -> tuple[str, ...]:
        return tuple(rate.name for rate in self.rates)

    def group_rates(self, masses: CellMasses) -> np.ndarray:
        """Rate of each group, of shape (..., n_rates, n_groups); NaN for an empty cell."""
        return np.stack([rate.of(masses.selected, masses.total) for rate in self.rates], axis=-2)

    def population_rates(self, masses: CellMasses) -> np.ndarray:
        """Rate of the population that each group belongs to, of shape (..., n_rates, n_groups).

        The population of a family is the rows whose group is known in it.
        """
        same_family = masses.family_of[:, None] == masses.family_of[None, :]
        selected = masses.selected @ same_family
        total = masses.total @ same_family
        return np.stack([rate.of(selected, total) for rate in self.rates], axis=-2)

    def disparities(
        self, masses: CellMasses, *, measure: str = "difference", contrast: str = "population"
    ) -> np.ndarray:
        """Disparity of each group, of shape (..., n_rates, n_groups).

        Parameters
        ----------
        masses : CellMasses
        measure : {"difference", "ratio"}, default="difference"
            Rate minus reference rate, or rate over reference rate.
        contrast : {"population", "groups"}, default="population"
            The reference: the whole population's rate, or the lowest rate of a group for
            differences and the highest for ratios.

        Returns
        -------
        ndarray
            Signed differences or plain ratios; 1 where both rates of a ratio are zero.
        """
        check_measure(measure, contrast)
        rates = self.group_rates(masses)
        reference = self._reference(masses, rates, measure, contrast)
        if measure == "difference":
            return rates - reference
        return _ratio(rates, reference)

    def _reference(
        self, masses: CellMasses, rates: np.ndarray, measure: str, contrast: str
    ) -> np.ndarray:
        if contrast == "population":
            return self.population_rates(masses)
        extreme = np.minimum if measure == "difference" else np.maximum
        reference = np.empty_like(rates)
        for family in np.unique(masses.family_of):
            members = masses.family_of == family
            # fmin and fmax semantics: an empty group does not hide the others' extremes.
            fold = np.fmin if extreme is np.minimum else np.fmax
            reference[..., members] = fold.reduce(rates[..., members], axis=-1)[..., None]
        return reference

    def defined_disparities(
        self,
        masses: CellMasses,
        *,
        measure: str = "difference",
        contrast: str = "population",
        empty: str = "nan",
        labels: tuple[str, ...] | None = None,
    ) -> np.ndarray:
        """Disparities of one sample that have a value, under a rule for empty cells.

        Parameters
        ----------
        masses : CellMasses
            Of a single sample.
        measure, contrast
            As in `disparities`.
        empty : {"nan", "raise", "skip"}, default="nan"
            When a group has an empty cell: NaN stays among the answers, with an
            `UndefinedFairnessWarning`; or an error; or the group is left out with the warning.
        labels : tuple of str, optional
            Names of the groups for the message.

        Returns
        -------
        ndarray of shape (n_defined,)
            By rate, then group. A single NaN if no family has two groups to compare: a group
            compared with itself would look perfectly fair.
        """
        check_empty(empty)
        return apply_empty_rule(
            self.disparities(masses, measure=measure, contrast=contrast),
            masses.family_of,
            what=self.name,
            rate_names=self.rate_names,
            empty=empty,
            labels=labels,
        )

    def violation(
        self,
        masses: CellMasses,
        *,
        measure: str = "difference",
        contrast: str = "population",
        empty: str = "nan",
        labels: tuple[str, ...] | None = None,
    ) -> float:
        """The worst disparity over groups and rates.

        Parameters
        ----------
        masses : CellMasses
            Of a single sample.
        measure, contrast
            As in `disparities`.
        empty, labels
            As in `defined_disparities`.

        Returns
        -------
        float
            Largest absolute difference (0 is parity), or smallest min(ratio, 1/ratio)
            (1 is parity); NaN where it is undefined.
        """
        defined = self.defined_disparities(
            masses, measure=measure, contrast=contrast, empty=empty, labels=labels
        )
        return float(worst(defined, measure))


def check_measure(measure: str, contrast: str) -> None:
    """Refuse an unknown measure or contrast."""
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {MEASURES}, got {measure!r}.")
    if contrast not in CONTRASTS:
        raise ValueError(f"contrast must be one of {CONTRASTS}, got {contrast!r}.")


def worst(disparities: np.ndarray, measure: str, axis: int | None = None) -> np.ndarray:
    """Fold disparities to the worst: largest |difference|, smallest symmetric ratio."""
    if measure == "difference":
        return np.abs(disparities).max(axis=axis)
    with np.errstate(divide="ignore"):
        return np.minimum(disparities, 1 / disparities).min(axis=axis)


def _ratio(rates: np.ndarray, reference: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = rates / reference
    # 0/0: both rates are zero, hence equal. x/0 stays infinite: not equal at all.
    return np.where((rates == 0) & (reference == 0), 1.0, ratio)
