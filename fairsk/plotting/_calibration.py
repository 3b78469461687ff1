"""Whether probabilities mean the same in every group."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairsk.metrics import check_labelled_decisions, group_rates, response_of
from fairsk.plotting._display import Display, columns_of
from fairsk.plotting._style import REFERENCE, axes_or_new, legend_below, style_of

STRATEGIES = ("quantile", "uniform")


class GroupCalibrationDisplay(Display):
    """Observed frequency against predicted probability, a curve for each group.

    Make it by `from_estimator` or `from_predictions`. Intervals are Wilson's and hold together
    over all bins and groups. Curves that lie apart mean that the same probability stands for
    different frequencies, so that no common threshold treats groups alike; a group whose curve
    leaves the diagonal is not served by the model's own.

    Parameters
    ----------
    predicted, observed, lower, upper : ndarray of shape (n_groups, n_bins)
        Mean probability of a bin, frequency of the positive label in it, and the frequency's
        interval; NaN for bins without rows.
    counts : ndarray of int of shape (n_groups, n_bins)
    group_labels : tuple of str
    confidence : float
    name : str, optional

    Attributes
    ----------
    predicted, observed, lower, upper, counts, group_labels, confidence
        As given.
    ax_, figure_ : matplotlib Axes and Figure
    errorbars_ : list of ErrorbarContainer
        One a group.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from fairsk.plotting import GroupCalibrationDisplay
    >>> rng = np.random.default_rng(0)
    >>> probability, group = rng.random(4000), rng.choice(["a", "b"], 4000)
    >>> label = rng.random(4000) < np.where(group == "a", probability, probability / 2)
    >>> display = GroupCalibrationDisplay.from_predictions(
    ...     label, probability, sensitive_features=group, ax=Figure().subplots()
    ... )
    >>> display.calibration_error.round(2)
    array([0.02, 0.24])
    """

    def __init__(
        self,
        predicted: np.ndarray,
        observed: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        counts: np.ndarray,
        group_labels: tuple[str, ...],
        *,
        confidence: float = 0.95,
        name: str | None = None,
    ) -> None:
        self.predicted = predicted
        self.observed = observed
        self.lower = lower
        self.upper = upper
        self.counts = counts
        self.group_labels = group_labels
        self.confidence = confidence
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any,
        pos_label: Any = None,
        **options: Any,
    ) -> GroupCalibrationDisplay:
        """Draw the calibration of a fitted classifier's probabilities.

        The probabilities of a fair post-processor are moved by its rule: draw the calibration of
        the model inside it.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``predict_proba`` for two classes.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        pos_label : label, optional
            The second class by default.
        **options
            As in `from_predictions`.

        Returns
        -------
        GroupCalibrationDisplay
        """
        probability = response_of(
            estimator, X, sensitive_features=sensitive_features, response_method="predict_proba"
        )
        classes = list(estimator.classes_)
        if len(classes) != 2 or probability.ndim != 2:
            raise ValueError(
                f"The estimator must have two classes, it has {len(classes)}: give "
                f"from_predictions one class against the rest."
            )
        pos_label = classes[1] if pos_label is None else pos_label
        if pos_label not in classes:
            raise ValueError(f"pos_label={pos_label!r} is not one of the classes {classes}.")
        return cls.from_predictions(
            y,
            probability[:, classes.index(pos_label)],
            sensitive_features=sensitive_features,
            pos_label=pos_label,
            **options,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_prob: Any,
        *,
        sensitive_features: Any,
        n_bins: int = 8,
        strategy: str = "quantile",
        confidence: float = 0.95,
        sample_weight: Any = None,
        groups: str = "intersectional",
        pos_label: Any = None,
        name: str | None = None,
        ax: Any = None,
    ) -> GroupCalibrationDisplay:
        """Draw the calibration of probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
        y_prob : array-like of shape (n_samples,)
            Probabilities of the positive label.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        n_bins : int, default=8
        strategy : {"quantile", "uniform"}, default="quantile"
            Bins of equal numbers of each group's rows, or of equal width.
        confidence : float, default=0.95
        sample_weight : array-like of shape (n_samples,), optional
        groups : {"intersectional", "independent"}, default="intersectional"
        pos_label : label, optional
        name : str, optional
            The title.
        ax : matplotlib Axes, optional

        Returns
        -------
        GroupCalibrationDisplay
        """
        if strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {STRATEGIES}, got {strategy!r}.")
        if n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, got {n_bins}.")
        inputs = check_labelled_decisions(
            y_true,
            y_prob,
            sensitive_features=sensitive_features,
            sample_weight=sample_weight,
            groups=groups,
            pos_label=pos_label,
            compare=False,
            scores=True,
        )
        probability = inputs.decision
        if probability.min() < 0 or probability.max() > 1:
            raise ValueError(
                f"y_prob must hold probabilities, it reaches from {probability.min():g} to "
                f"{probability.max():g}. Calibrate scores first, or take predict_proba."
            )
        weight = inputs.sample_weight
        if weight is None:
            weight = np.ones(len(probability))
        shape = (len(inputs.group_labels), n_bins)
        predicted, observed, lower, upper = (np.full(shape, np.nan) for _ in range(4))
        counts = np.zeros(shape, dtype=int)
        rows, cells = _bin_rows(probability, inputs.groups.flat_codes(), weight, *shape, strategy)
        report = group_rates(
            inputs.y[rows],
            inputs.y[rows],
            # As text: many numbers would look like a measurement.
            sensitive_features=np.char.zfill(cells.astype(str), 9),
            rates="selection_rate",
            confidence=confidence,
            sample_weight=None if sample_weight is None else weight[rows],
            pos_label=1,
        )
        at = np.unravel_index(np.array(report.group_labels, dtype=int), shape)
        observed[at], lower[at], upper[at] = (
            report.estimates[0],
            report.lower[0],
            report.upper[0],
        )
        counts[at] = report.counts[0]
        mass = np.bincount(cells, weight[rows], shape[0] * n_bins).reshape(shape)
        total = np.bincount(cells, (weight * probability)[rows], shape[0] * n_bins).reshape(shape)
        predicted[at] = total[at] / mass[at]
        labels = inputs.group_labels
        display = cls(
            predicted, observed, lower, upper, counts, labels, confidence=confidence, name=name
        )
        return display.plot(ax=ax)

    @property
    def calibration_error(self) -> np.ndarray:
        """Mean distance of the curve from the diagonal, by rows; of shape (n_groups,).

        Noise alone makes it about 0.4 / sqrt(rows of a bin): a small group's is larger.
        """
        distance = np.nan_to_num(np.abs(self.observed - self.predicted))
        rows = self.counts.sum(axis=1)
        return (distance * self.counts).sum(axis=1) / np.where(rows > 0, rows, 1)

    def plot(self, *, ax: Any = None) -> GroupCalibrationDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        self
        """
        ax = axes_or_new(ax, type(self).__name__, width=5.6, height=5.4)
        (diagonal,) = ax.plot(
            [0, 1], [0, 1], color=REFERENCE, linestyle=":", label="calibrated", zorder=1
        )
        self.errorbars_, labels = [], []
        for a, label in enumerate(self.group_labels):
            style, seen = style_of(a), self.counts[a] > 0
            middle = self.observed[a, seen]
            ends = [middle - self.lower[a, seen], self.upper[a, seen] - middle]
            self.errorbars_.append(
                ax.errorbar(
                    self.predicted[a, seen],
                    middle,
                    yerr=np.maximum(ends, 0),
                    color=style.color,
                    marker=style.marker,
                    linestyle=style.linestyle,
                    markersize=5.5,
                    capsize=2.5,
                    elinewidth=1,
                )
            )
            labels.append(f"{label} ({self.counts[a].sum():,})")
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.set_xlabel("mean predicted probability of the bin")
        ax.set_ylabel(
            f"frequency of the positive label\n(simultaneous {self.confidence:.0%} intervals)"
        )
        ax.grid(alpha=0.3)
        ax.set_axisbelow(True)
        if self.name is not None:
            ax.set_title(self.name)
        legend_below(ax, [*self.errorbars_, diagonal], [*labels, "calibrated"])
        self._keep(ax)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Columns group, bin, predicted, observed, lower, upper and count."""
        return columns_of(
            [
                {
                    "group": label,
                    "bin": b,
                    "predicted": self.predicted[a, b],
                    "observed": self.observed[a, b],
                    "lower": self.lower[a, b],
                    "upper": self.upper[a, b],
                    "count": self.counts[a, b],
                }
                for a, label in enumerate(self.group_labels)
                for b in range(self.counts.shape[1])
            ]
        )


def _bin_rows(
    probability: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    n_groups: int,
    n_bins: int,
    strategy: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows, once for each group that they are in, and their cell: group times bins plus bin."""
    all_rows, cells = [], []
    for a in range(n_groups):
        rows = np.flatnonzero((codes == a).any(axis=1) & (weight > 0))
        if not len(rows):
            continue
        edges = np.linspace(0, 1, n_bins + 1)
        if strategy == "quantile":
            edges = np.quantile(probability[rows], edges)
        # Of tied edges only the last bin gets rows: equal probabilities stay together.
        place = np.searchsorted(edges[1:-1], probability[rows], side="right")
        all_rows.append(rows)
        cells.append(a * n_bins + place)
    if not all_rows:
        raise ValueError("No row has a known group.")
    return np.concatenate(all_rows), np.concatenate(cells)
