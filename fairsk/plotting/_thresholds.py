"""What a decision rule does with probabilities: thresholds by group, regions of the Bayes rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from fairsk.metrics import check_labelled_decisions, serving_estimator
from fairsk.plotting._display import Display, columns_of
from fairsk.plotting._ridges import draw_ridge, label_rows, ridge_handles
from fairsk.plotting._style import REFERENCE, axes_or_new, legend_below, style_of, wrapped
from fairsk.utils import GroupEncoder, check_sensitive_features

KINDS = ("auto", "thresholds", "regions")
N_BINS = 40


class ThresholdsDisplay(Display):
    """Who is selected at which probability, by group.

    ``kind="thresholds"`` shows, for each group, how its members' probabilities are spread, the
    part that is selected, and the threshold where there is one. ``kind="regions"`` shows each row
    at its probability (across) and the margin of the Bayes rule (up): rows above zero are
    selected. Without constraints all rows would lie on the diagonal, so that the rows in the upper
    left are selected, and those in the lower right rejected, for the sake of the constraints.
    Attribute-blind rules have no threshold by group: their margin depends on how likely the row is
    to belong to each.

    Parameters
    ----------
    posterior : ndarray of shape (n_samples,)
        Probabilities, or scores.
    selected : ndarray of bool of shape (n_samples,)
    codes : ndarray of int of shape (n_samples,)
        The group of each row; -1 is unknown.
    group_labels : tuple of str
    thresholds : ndarray of shape (n_groups,)
        NaN where a group has none.
    margin : ndarray of shape (n_samples,), optional
        For ``kind="regions"``; selected where positive.
    cost : float, optional
        The threshold without constraints.
    kind : {"auto", "thresholds", "regions"}, default="auto"
        "auto" draws thresholds where every group has one.

    Attributes
    ----------
    posterior, selected, codes, group_labels, thresholds, margin
        As given.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from fairsk import BayesOptimalFairPostProcessor
    >>> from fairsk.datasets import load_compas
    >>> from fairsk.plotting import ThresholdsDisplay
    >>> X, y, A = load_compas(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> model = BayesOptimalFairPostProcessor(attribute_aware=True, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=A[:, 0])
    >>> display = ThresholdsDisplay.from_estimator(
    ...     model, X, sensitive_features=A[:, 0], ax=Figure().subplots()
    ... )
    >>> dict(zip(display.group_labels, display.thresholds.round(2).tolist()))
    {'African-American': 0.53, 'Caucasian': 0.45}
    """

    def __init__(
        self,
        posterior: np.ndarray,
        selected: np.ndarray,
        codes: np.ndarray,
        group_labels: tuple[str, ...],
        thresholds: np.ndarray,
        *,
        margin: np.ndarray | None = None,
        cost: float | None = None,
        kind: str = "auto",
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
        self.posterior = posterior
        self.selected = selected
        self.codes = codes
        self.group_labels = group_labels
        self.thresholds = thresholds
        self.margin = margin
        self.cost = cost
        if kind == "auto":
            blind = margin is not None and np.isnan(thresholds).any()
            kind = "regions" if blind else "thresholds"
        if kind == "regions" and margin is None:
            raise ValueError(
                "kind='regions' needs the margin of each row, which only from_estimator of a "
                "BayesOptimalFairPostProcessor knows."
            )
        self.kind = kind

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        sensitive_features: Any,
        kind: str = "auto",
        ax: Any = None,
    ) -> ThresholdsDisplay:
        """Draw the rule of a fitted `BayesOptimalFairPostProcessor`.

        Parameters
        ----------
        estimator : BayesOptimalFairPostProcessor, or a pipeline or search that ends in one
            For other models see `from_predictions`.
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
            Groups to show; the rule itself gets them if it is attribute-aware.
        kind : {"auto", "thresholds", "regions"}, default="auto"
        ax : matplotlib Axes, optional

        Returns
        -------
        ThresholdsDisplay
        """
        model = serving_estimator(estimator)
        if isinstance(model, Pipeline):
            X, model = model[:-1].transform(X) if len(model) > 1 else X, model[-1]
        if not hasattr(model, "row_thresholds"):
            raise TypeError(
                f"{type(model).__name__} has no row_thresholds: from_estimator draws the rule of a "
                f"BayesOptimalFairPostProcessor. For other models use from_predictions(scores, "
                f"labels, sensitive_features=...)."
            )
        features = check_sensitive_features(sensitive_features)
        groups = GroupEncoder("intersectional").fit_transform(features)
        own = getattr(model, "sensitive_columns", None) is not None
        given = {"sensitive_features": None if own else sensitive_features}
        if not model.attribute_aware:
            given = {}
        rows = model.row_thresholds(X, **given)
        selected = model.selection_probability(X, **given) > 0.5
        codes = groups.codes[:, 0]
        thresholds = np.full(groups.n_groups, np.nan)
        if model.attribute_aware:
            for a in range(groups.n_groups):
                of_group = rows.threshold[codes == a]
                if len(of_group) and np.ptp(of_group) < 1e-9:
                    thresholds[a] = of_group[0]
        display = cls(
            rows.posterior,
            selected,
            codes,
            groups.labels,
            thresholds,
            margin=model.decision_function(X, **given),
            cost=float(model.cost),
            kind=kind,
        )
        return display.plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_score: Any,
        y_pred: Any,
        *,
        sensitive_features: Any,
        pos_label: Any = None,
        ax: Any = None,
    ) -> ThresholdsDisplay:
        """Draw the decisions of any model at its probabilities.

        A group whose selected rows all have greater scores than the others has a threshold, the
        middle of the gap between them. A group in which they overlap has none: its decisions do
        not depend on the score alone.

        Parameters
        ----------
        y_score : array-like of shape (n_samples,)
            Probabilities or scores of the positive label.
        y_pred : array-like of shape (n_samples,)
            Labels decided.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        pos_label : label, optional
        ax : matplotlib Axes, optional

        Returns
        -------
        ThresholdsDisplay
        """
        inputs = check_labelled_decisions(
            y_pred,
            y_score,
            sensitive_features=sensitive_features,
            pos_label=pos_label,
            compare=False,
            scores=True,
        )
        score, selected = inputs.decision, inputs.y.astype(bool)
        codes, labels = inputs.groups.codes[:, 0], inputs.groups.labels
        thresholds = np.full(len(labels), np.nan)
        for a in range(len(labels)):
            mine = codes == a
            above = score[mine & selected].min(initial=np.inf)
            below = score[mine & ~selected].max(initial=-np.inf)
            if below < above and np.isfinite([above, below]).all():
                thresholds[a] = (above + below) / 2
        return cls(score, selected, codes, labels, thresholds).plot(ax=ax)

    def plot(self, *, ax: Any = None, max_points: int = 1500) -> ThresholdsDisplay:
        """Draw the rule.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        max_points : int, default=1500
            Rows drawn by ``kind="regions"``, evenly spaced over the sample.

        Returns
        -------
        self
        """
        regions = self.kind == "regions"
        height = 4.8 if regions else 1.4 + 0.85 * len(self.group_labels)
        ax = axes_or_new(ax, type(self).__name__, height=height)
        if regions:
            self._draw_regions(ax, max_points)
        else:
            self._draw_thresholds(ax)
        self._keep(ax)
        return self

    def _draw_thresholds(self, ax: Any) -> None:
        probabilities = self.posterior.min() >= 0 and self.posterior.max() <= 1
        low, high = (0, 1) if probabilities else (self.posterior.min(), self.posterior.max())
        edges = np.linspace(low, high, N_BINS + 1)
        labels: list[str] = []
        handles: dict[str, Any] = {}
        for a, label in enumerate(self.group_labels):
            mine = self.codes == a
            chosen = self.selected[mine]
            draw_ridge(ax, a, self.posterior[mine], chosen, edges, style_of(a).color)
            share = chosen.mean() if len(chosen) else np.nan
            labels.append(f"{wrapped(label)}\n{mine.sum():,} rows, {share:.0%} selected")
            handles |= self._mark_threshold(ax, a, low, high)
        if self.cost is not None:
            handles["threshold without constraints"] = ax.axvline(
                self.cost, color=REFERENCE, linestyle=":", linewidth=1.2, zorder=1
            )
        label_rows(ax, labels)
        handles |= ridge_handles("selected", "not selected")
        ax.set_xlim(low, high)
        ax.set_xlabel("predicted probability" if probabilities else "score")
        legend_below(ax, list(handles.values()), list(handles))

    def _mark_threshold(self, ax: Any, a: int, low: float, high: float) -> dict[str, Any]:
        at = self.thresholds[a]
        if not low <= at <= high:
            return {}
        (line,) = ax.plot([at, at], [a, a - 0.8], color="black", linewidth=2)
        right = at < low + 0.85 * (high - low)
        ax.annotate(
            f"{at:.2f}",
            (at, a - 0.8),
            xytext=(4 if right else -4, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize="small",
        )
        return {"threshold of the group": line}

    def _draw_regions(self, ax: Any, max_points: int) -> None:
        margin = self.margin
        assert margin is not None
        known = np.flatnonzero(self.codes >= 0)
        drawn = known[:: max(1, int(np.ceil(len(known) / max_points)))]
        ax.axhspan(0, 2, color="0.95", linewidth=0, zorder=-1)
        handles: dict[str, Any] = {"selected above": ax.axhline(0, color="black", linewidth=1.2)}
        if self.cost is not None:
            handles["without constraints"] = ax.plot(
                [0, 1], [-self.cost, 1 - self.cost], color=REFERENCE, linestyle=":", linewidth=1.2
            )[0]
            ax.axvline(self.cost, color=REFERENCE, linestyle=":", linewidth=1.2, zorder=1)
        for a, label in enumerate(self.group_labels):
            style, mine = style_of(a), drawn[self.codes[drawn] == a]
            for chosen in (True, False):
                rows = mine[self.selected[mine] == chosen]
                (marks,) = ax.plot(
                    self.posterior[rows],
                    margin[rows],
                    style.marker,
                    markersize=4.5,
                    markeredgecolor=style.color,
                    markerfacecolor=style.color if chosen else "none",
                    markeredgewidth=0.8,
                    alpha=0.75,
                    zorder=2,
                )
                if chosen:
                    handles[label] = marks
        low, high = margin[drawn].min(), margin[drawn].max()
        pad = 0.06 * (high - low)
        ax.set_xlim(0, 1)
        ax.set_ylim(low - pad, high + pad)
        ax.set_xlabel("predicted probability")
        ax.set_ylabel("margin of the fair rule")
        legend_below(ax, list(handles.values()), list(handles))

    def to_dict(self) -> dict[str, Any]:
        """Columns group, rows, selection_rate and threshold."""
        records = []
        for a, label in enumerate(self.group_labels):
            chosen = self.selected[self.codes == a]
            records.append(
                {
                    "group": label,
                    "rows": len(chosen),
                    "selection_rate": chosen.mean() if len(chosen) else np.nan,
                    "threshold": self.thresholds[a],
                }
            )
        return columns_of(records)
