"""Disparities by notion with intervals that hold together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairsk.metrics import DisparityReport, disparity_intervals, response_of
from fairsk.notions import FairnessNotion, GroupRate, get_notion
from fairsk.plotting._display import Display, as_models, columns_of
from fairsk.plotting._forest import draw_forest, forest_height
from fairsk.plotting._style import REFERENCE, axes_or_new, legend_below, spelled

DEFAULT_NOTIONS = (
    "demographic_parity",
    "equal_opportunity",
    "predictive_equality",
    "accuracy_parity",
)
SHOW = ("auto", "groups", "worst")


class DisparityDisplay(Display):
    """Disparities between groups by fairness notion, for one model or several.

    The intervals of a model hold together over all groups and all notions drawn: the notions are
    measured as one whose rates are those of all of them.

    Parameters
    ----------
    reports : dict of str to DisparityReport
        By model; of `fairsk.metrics.disparity_intervals`.
    notions : dict of str to tuple of str, optional
        Names of the rates of each notion; by default each rate stands alone.
    show : {"auto", "groups", "worst"}, default="auto"
        Each group's disparity, or the worst of each notion; "auto" shows groups of one model and
        the worst of several.

    Attributes
    ----------
    reports : dict of str to DisparityReport
    ax_, figure_ : matplotlib Axes and Figure
    errorbars_ : list of ErrorbarContainer
        One a group, or one a model.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from fairsk.datasets import load_compas
    >>> from fairsk.plotting import DisparityDisplay
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y, A = load_compas(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> display = DisparityDisplay.from_estimator(
    ...     model, X, y, sensitive_features=A[:, 0], ax=Figure().subplots(), tolerance=0.05
    ... )
    >>> display.worst()["LogisticRegression"]["demographic_parity"][0]
    0.155
    """

    def __init__(
        self,
        reports: Mapping[str, DisparityReport],
        *,
        notions: Mapping[str, tuple[str, ...]] | None = None,
        show: str = "auto",
    ) -> None:
        if show not in SHOW:
            raise ValueError(f"show must be one of {SHOW}, got {show!r}.")
        self.reports = dict(reports)
        first = next(iter(self.reports.values()))
        if notions is None:
            notions = {rate: (rate,) for rate in first.rate_names}
        self.notions = dict(notions)
        self.show = show

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any,
        notions: Sequence[str | FairnessNotion] = DEFAULT_NOTIONS,
        show: str = "auto",
        tolerance: float | None = None,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> DisparityDisplay:
        """Draw the disparities of the predictions of a fitted classifier, or of several.

        Parameters
        ----------
        estimator : estimator or dict of str to estimator
            Fitted; those that ask for the sensitive features to predict get them.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        notions, show, tolerance, name, ax, **options
            As in `from_predictions`; the name of a single estimator is its class.

        Returns
        -------
        DisparityDisplay
        """
        models = as_models(estimator, name, type(estimator).__name__)
        predictions = {
            key: response_of(model, X, sensitive_features=sensitive_features)
            for key, model in models.items()
        }
        return cls.from_predictions(
            y,
            predictions,
            sensitive_features=sensitive_features,
            notions=notions,
            show=show,
            tolerance=tolerance,
            ax=ax,
            **options,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        sensitive_features: Any,
        notions: Sequence[str | FairnessNotion] = DEFAULT_NOTIONS,
        show: str = "auto",
        tolerance: float | None = None,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> DisparityDisplay:
        """Draw the disparities of predictions, of one model or several.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
        y_pred : array-like of shape (n_samples,), or dict of str to array-like
            Labels or decisions in [0, 1].
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        notions : sequence of str or FairnessNotion
            Binary ones; of several rates the worst counts.
        show : {"auto", "groups", "worst"}, default="auto"
        tolerance : float, optional
            Shades the disparities that are accepted: of at most this difference, or ratios of at
            least this much.
        name : str, optional
            Of a single model.
        ax : matplotlib Axes, optional
        **options
            Of `fairsk.metrics.disparity_intervals`: measure, contrast, confidence, groups, ...

        Returns
        -------
        DisparityDisplay
        """
        joined, named = _join(notions)
        reports = {
            key: disparity_intervals(
                y_true, values, sensitive_features=sensitive_features, notion=joined, **options
            )
            for key, values in as_models(y_pred, name, "model").items()
        }
        return cls(reports, notions=named, show=show).plot(ax=ax, tolerance=tolerance)

    def worst(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Of each model and notion: the worst disparity, and the ends of its interval.

        While all disparities lie in their intervals, the worst is at most the farthest end of an
        interval from parity and at least the largest distance of an interval from parity.
        """
        return {
            model: {name: report.worst_of(rates) for name, rates in self.notions.items()}
            for model, report in self.reports.items()
        }

    def plot(self, *, ax: Any = None, tolerance: float | None = None) -> DisparityDisplay:
        """Draw the disparities.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        tolerance : float, optional

        Returns
        -------
        self
        """
        first = next(iter(self.reports.values()))
        by_group = self.show == "groups" or (self.show == "auto" and len(self.reports) == 1)
        if by_group and len(self.reports) > 1:
            raise ValueError(
                f"show='groups' draws one model, but there are {len(self.reports)}: "
                f"{list(self.reports)}. Draw each on axes of its own, or show='worst'."
            )
        rows, series, figures = self._groups(first) if by_group else self._worst_of_models()
        height = forest_height(len(rows), len(series))
        ax = axes_or_new(ax, type(self).__name__, height=height)
        ratio = first.measure == "ratio"
        self._draw_reference(ax, ratio, by_group, tolerance)
        self.errorbars_ = draw_forest(ax, rows, series, *figures, missing="undefined")
        ax.set_xlabel(_axis_label(first, by_group))
        if not by_group:
            ax.set_xlim(left=0)
        if by_group and ratio:
            ax.set_xlim(left=0)
        self._hatch_beyond(ax, ratio, by_group, tolerance)
        legend_below(ax, self.errorbars_, series)
        if by_group and next(iter(self.reports)) != "model":
            ax.set_title(next(iter(self.reports)))
        self._keep(ax)
        return self

    def _groups(self, report: DisparityReport) -> tuple[list[str], list[str], list[np.ndarray]]:
        """Rows a rate of a notion, series a group."""
        rows, places = [], []
        for notion, rates in self.notions.items():
            for rate in rates:
                rows.append(spelled(notion) + (f": {spelled(rate)}" if len(rates) > 1 else ""))
                places.append(report.rate_names.index(rate))
        arrays = [array[places].T for array in (report.estimates, report.lower, report.upper)]
        return rows, list(report.group_labels), arrays

    def _worst_of_models(self) -> tuple[list[str], list[str], list[np.ndarray]]:
        """Rows a notion, series a model."""
        figures = np.array([list(by_notion.values()) for by_notion in self.worst().values()])
        rows = [spelled(notion) for notion in self.notions]
        return rows, list(self.reports), [figures[..., i] for i in range(3)]

    @staticmethod
    def _draw_reference(ax: Any, ratio: bool, by_group: bool, tolerance: float | None) -> None:
        parity = 1.0 if ratio else 0.0
        ax.axvline(parity, color=REFERENCE, linewidth=1.2, zorder=1)
        if tolerance is None:
            return
        for end in _within(ratio, by_group, tolerance):
            if end != parity:
                ax.axvline(end, color=REFERENCE, linestyle=":", linewidth=1.2, zorder=1)

    @staticmethod
    def _hatch_beyond(ax: Any, ratio: bool, by_group: bool, tolerance: float | None) -> None:
        """Hatch what is not accepted, as `TradeOffDisplay` does."""
        if tolerance is None:
            return
        low, high = _within(ratio, by_group, tolerance)
        left, right = ax.get_xlim()
        for start, stop in ((left, low), (high, right)):
            if start < stop:
                ax.axvspan(
                    start,
                    stop,
                    facecolor="none",
                    edgecolor="0.85",
                    hatch="//",
                    linewidth=0,
                    zorder=0,
                )
        ax.set_xlim(left, right)

    def to_dict(self) -> dict[str, Any]:
        """Columns model, notion, rate, group, estimate, lower, upper and count."""
        records = []
        for model, report in self.reports.items():
            for notion, rates in self.notions.items():
                for rate in rates:
                    r = report.rate_names.index(rate)
                    for a, group in enumerate(report.group_labels):
                        records.append(
                            {
                                "model": model,
                                "notion": notion,
                                "rate": rate,
                                "group": group,
                                "estimate": report.estimates[r, a],
                                "lower": report.lower[r, a],
                                "upper": report.upper[r, a],
                                "count": report.counts[r, a],
                            }
                        )
        return columns_of(records)


def _join(
    notions: Sequence[str | FairnessNotion],
) -> tuple[FairnessNotion, dict[str, tuple[str, ...]]]:
    """One notion with the rates of all, each once, and the names of each one's own."""
    if isinstance(notions, str | FairnessNotion):
        notions = [notions]
    rates: list[GroupRate] = []
    named = {}
    for notion in map(get_notion, notions):
        if notion.multilabel:
            raise ValueError(
                f"{notion.name} is about several tasks at once; take 'predictive_equality' on the "
                f"system's labels, which is the same rate."
            )
        for rate in notion.rates:
            if rate in rates:
                continue
            if any(rate.name == other.name for other in rates):
                raise ValueError(f"Two different rates are called {rate.name!r}; rename one.")
            rates.append(rate)
        named[notion.name] = notion.rate_names
    if not rates:
        raise ValueError("notions is empty: name at least one, such as 'demographic_parity'.")
    return FairnessNotion("several notions", tuple(rates), "rates of several notions"), named


def _axis_label(report: DisparityReport, by_group: bool) -> str:
    kind = "simultaneous" if report.simultaneous else "separate"
    what = f"rate of the group {report.reference}"
    if not by_group:
        what = f"worst {report.measure}: {what}"
    return f"{what}\n({kind} {report.confidence:.0%} intervals)"


def _within(ratio: bool, by_group: bool, tolerance: float) -> tuple[float, float]:
    """Ends of what a tolerance, or the least ratio, accepts."""
    if by_group:
        return (tolerance, 1 / tolerance) if ratio else (-tolerance, tolerance)
    return (tolerance, 1.0) if ratio else (0.0, tolerance)
