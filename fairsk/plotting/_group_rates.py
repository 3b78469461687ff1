"""Rates of each group with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairsk.metrics import GroupRatesReport, group_rates, response_of
from fairsk.plotting._display import Display, columns_of
from fairsk.plotting._forest import draw_forest, forest_height
from fairsk.plotting._style import axes_or_new, legend_below, spelled


class GroupRatesDisplay(Display):
    """Rates of each group with confidence intervals.

    Make it by `from_estimator` or `from_predictions`, or from the report of
    `fairsk.metrics.group_rates`.

    Parameters
    ----------
    report : GroupRatesReport
    name : str, optional
        Of the model; the title.

    Attributes
    ----------
    report : GroupRatesReport
        The figures drawn.
    ax_, figure_ : matplotlib Axes and Figure
    errorbars_ : list of ErrorbarContainer
        One a rate.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from fairsk.datasets import load_compas
    >>> from fairsk.plotting import GroupRatesDisplay
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y, A = load_compas(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> display = GroupRatesDisplay.from_estimator(
    ...     model, X, y, sensitive_features=A[:, 0], ax=Figure().subplots()
    ... )
    >>> [tick.get_text().split()[0] for tick in display.ax_.get_yticklabels()]
    ['African-American', 'Caucasian']
    """

    def __init__(self, report: GroupRatesReport, *, name: str | None = None) -> None:
        self.report = report
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> GroupRatesDisplay:
        """Draw the rates of a fitted classifier's predictions.

        Parameters
        ----------
        estimator : estimator
            Fitted; it gets the sensitive features if its ``predict`` asks for them.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        name : str, optional
        ax : matplotlib Axes, optional
        **options
            Of `fairsk.metrics.group_rates`: rates, confidence, simultaneous, groups, ...

        Returns
        -------
        GroupRatesDisplay
        """
        predicted = response_of(estimator, X, sensitive_features=sensitive_features)
        return cls.from_predictions(
            y, predicted, sensitive_features=sensitive_features, name=name, ax=ax, **options
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        sensitive_features: Any,
        name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> GroupRatesDisplay:
        """Draw the rates of predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            Labels, and labels or decisions in [0, 1].
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        name : str, optional
        ax : matplotlib Axes, optional
        **options
            Of `fairsk.metrics.group_rates`: rates, confidence, simultaneous, groups, ...

        Returns
        -------
        GroupRatesDisplay
        """
        report = group_rates(y_true, y_pred, sensitive_features=sensitive_features, **options)
        return cls(report, name=name).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> GroupRatesDisplay:
        """Draw the rates.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        self
        """
        report = self.report
        rates = [spelled(rate) for rate in report.rate_names]
        counts = report.counts.max(axis=0)
        rows = [
            f"{label} ({count:,})" for label, count in zip(report.group_labels, counts, strict=True)
        ]
        ax = axes_or_new(ax, type(self).__name__, height=forest_height(len(rows), len(rates)))
        self.errorbars_ = draw_forest(ax, rows, rates, report.estimates, report.lower, report.upper)
        highest = np.nanmax(report.upper, initial=0.05)
        ax.set_xlim(0, 1 if highest > 0.8 else 1.05 * highest)
        kind = "simultaneous" if report.simultaneous else "separate"
        alone = rates[0] if len(rates) == 1 else "rate"
        ax.set_xlabel(f"{alone} of the group\n({kind} {report.confidence:.0%} intervals)")
        ax.set_ylabel("group (rows)")
        if self.name is not None:
            ax.set_title(self.name)
        if len(rates) > 1:
            legend_below(ax, self.errorbars_, rates)
        self._keep(ax)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Columns rate, group, estimate, standard_error, lower, upper and count."""
        table = self.report.to_dict()["rates"]
        return columns_of(
            [
                {"rate": rate, "group": group} | figures
                for rate, groups in table.items()
                for group, figures in groups.items()
            ]
        )
