"""Accuracy against unfairness: several methods, their fronts, and a tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.metrics import accuracy_score

from fairsk.metrics import disparity_intervals, response_of
from fairsk.model_selection import ParetoFront
from fairsk.notions import get_notion
from fairsk.plotting._curves import TradeOffCurve, as_curve
from fairsk.plotting._display import Display, as_models, columns_of
from fairsk.plotting._style import REFERENCE, axes_or_new, legend_below, spelled, style_of
from fairsk.thresholding import TradeOffPath


class TradeOffDisplay(Display):
    """Accuracy against the violation of a fairness notion, for one method or several.

    Make it by `from_results` (searches, fronts, paths, arrays), `from_estimator` or
    `from_predictions`. A search's candidates are hollow where others of it are better on both
    axes, and the efficient ones are joined; the points of a path are joined in order.

    Parameters
    ----------
    curves : dict of str to TradeOffCurve
        By method.
    objective_name, violation_name : str
        Labels of the axes.

    Attributes
    ----------
    curves : dict of str to TradeOffCurve
    front_ : ParetoFront
        Of all methods together; candidates count over the methods in their order.
    ax_, figure_ : matplotlib Axes and Figure
    lines_ : dict of str to Line2D

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from fairsk import BayesOptimalFairPostProcessor
    >>> from fairsk.datasets import load_compas
    >>> from fairsk.plotting import TradeOffDisplay
    >>> X, y, A = load_compas(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> model = BayesOptimalFairPostProcessor(random_state=0).fit(X, y, sensitive_features=A[:, 0])
    >>> display = TradeOffDisplay.from_results(
    ...     {"thresholds": model.path([0.02, 0.05, 0.1])}, tolerance=0.05, ax=Figure().subplots()
    ... )
    >>> display.curves["thresholds"].violation.round(2)
    array([0.02, 0.05, 0.1 ])
    """

    def __init__(
        self,
        curves: Mapping[str, TradeOffCurve],
        *,
        objective_name: str = "accuracy",
        violation_name: str = "violation",
    ) -> None:
        if not curves:
            raise ValueError("There is no curve to draw: the dict is empty.")
        self.curves = dict(curves)
        self.objective_name = objective_name
        self.violation_name = violation_name

    # ------------------------------------------------------------- made from

    @classmethod
    def from_results(
        cls,
        results: Any,
        *,
        objective: str = "accuracy",
        violation: str = "violation",
        measure: str = "difference",
        figures: str = "observed",
        confidence: float = 0.95,
        name: str | None = None,
        tolerance: float | None = None,
        intervals: bool = True,
        front: bool = False,
        ax: Any = None,
    ) -> TradeOffDisplay:
        """Draw what searches and paths found.

        Parameters
        ----------
        results : object, or dict of str to object
            A fitted search, its ``cv_results_``, a `ParetoFront`, the ``path()`` of a
            `BayesOptimalFairPostProcessor`, a `TradeOffCurve`, or a pair (objective, violation) of
            arrays; several by name of the method.
        objective, violation : str
            Of searches, the keys of their scoring dict; the labels of the axes.
        measure : {"difference", "ratio"}, default="difference"
            Of the violation's scorer. A ratio is drawn as its distance from 1.
        figures : {"observed", "expected"}, default="observed"
            Of paths: measured on the tuning rows' labels, or under the model's probabilities.
        confidence : float, default=0.95
            Of the intervals about means over a search's folds.
        name : str, optional
            Of a single result.
        tolerance, intervals, front, ax
            As in `plot`.

        Returns
        -------
        TradeOffDisplay
        """
        many = isinstance(results, dict) and "params" not in results
        curves = {
            key: as_curve(
                result,
                objective=objective,
                violation=violation,
                measure=measure,
                figures=figures,
                confidence=confidence,
            )
            for key, result in as_models(
                results if many else {name or "model": results}, None, ""
            ).items()
        }
        display = cls(curves, objective_name=spelled(objective), violation_name=spelled(violation))
        return display.plot(ax=ax, tolerance=tolerance, intervals=intervals, front=front)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any,
        name: str | None = None,
        **options: Any,
    ) -> TradeOffDisplay:
        """Draw fitted classifiers on data, usually a test set.

        Parameters
        ----------
        estimator : estimator, TradeOffPath, sequence of estimators, or dict of str to them
            Fitted. Several under one name, such as a path's, are the points of one curve.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        name : str, optional
            Of a single estimator; its class by default.
        **options
            As in `from_predictions`.

        Returns
        -------
        TradeOffDisplay
        """

        def predict(model: Any) -> Any:
            if isinstance(model, TradeOffPath):
                model = list(model.estimators)
            if isinstance(model, list | tuple):
                return [predict(point) for point in model]
            return response_of(model, X, sensitive_features=sensitive_features)

        models = as_models(estimator, name, type(estimator).__name__)
        predictions = {key: predict(model) for key, model in models.items()}
        return cls.from_predictions(
            y, predictions, sensitive_features=sensitive_features, **options
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        sensitive_features: Any,
        notion: Any = "demographic_parity",
        objective: Callable[..., float] | None = None,
        name: str | None = None,
        tolerance: float | None = None,
        intervals: bool = True,
        front: bool = False,
        ax: Any = None,
        confidence: float = 0.95,
        **options: Any,
    ) -> TradeOffDisplay:
        """Draw labels predicted by several methods.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
        y_pred : array-like of shape (n_samples,), sequence of them, or dict of str to either
            Predicted labels; several under one name are the points of one curve.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        notion : str or FairnessNotion, default="demographic_parity"
        objective : callable, optional
            ``f(y_true, y_pred) -> float``, greater is better; accuracy by default, which is the
            one that gets an interval.
        name : str, optional
        tolerance, intervals, front, ax
            As in `plot`.
        confidence : float, default=0.95
        **options
            Of `fairsk.metrics.disparity_intervals`: measure, contrast, groups, ...

        Returns
        -------
        TradeOffDisplay
        """
        weight = options.get("sample_weight")
        q = norm.ppf(0.5 + confidence / 2)
        measure = options.get("measure", "difference")

        def point(labels: Any) -> tuple[float, float, tuple[float, float], tuple[float, float]]:
            report = disparity_intervals(
                y_true,
                labels,
                sensitive_features=sensitive_features,
                notion=notion,
                confidence=confidence,
                **options,
            )
            worst = np.array([report.worst, report.worst_lower, report.worst_upper])
            if measure == "ratio":
                worst = 1 - worst[[0, 2, 1]]
            if objective is not None:
                return float(objective(y_true, labels)), worst[0], (np.nan,) * 2, tuple(worst[1:])
            gain = accuracy_score(y_true, labels, sample_weight=weight)
            error = q * np.sqrt(gain * (1 - gain) / _effective_rows(len(labels), weight))
            return gain, worst[0], (gain - error, gain + error), tuple(worst[1:])

        curves = {}
        for key, predictions in as_models(y_pred, name, "model").items():
            several = _several(predictions, len(np.asarray(y_true)))
            gains, losses, gain_ends, loss_ends = zip(*map(point, several), strict=True)
            curves[key] = TradeOffCurve.of(
                gains,
                losses,
                objective_interval=gain_ends,
                violation_interval=loss_ends,
                is_path=len(several) > 1,
            )
        label = spelled(get_notion(notion).name)
        display = cls(
            curves,
            objective_name="accuracy" if objective is None else _name_of(objective),
            violation_name=f"violation of {label}" + (" (1 - ratio)" * (measure == "ratio")),
        )
        return display.plot(ax=ax, tolerance=tolerance, intervals=intervals, front=front)

    # ------------------------------------------------------------------ drawn

    def plot(
        self,
        *,
        ax: Any = None,
        tolerance: float | None = None,
        intervals: bool = True,
        front: bool = False,
    ) -> TradeOffDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        tolerance : float, optional
            The violation that is accepted; beyond it the picture is hatched.
        intervals : bool, default=True
            Whether to draw intervals where they are known.
        front : bool, default=False
            Whether to draw the steps of the Pareto front of all methods together.

        Returns
        -------
        self
        """
        ax = axes_or_new(ax, type(self).__name__, height=4.6)
        self.lines_ = {}
        for k, (name, curve) in enumerate(self.curves.items()):
            self.lines_[name] = _draw_curve(ax, curve, name, style_of(k), intervals)
        handles = list(self.lines_.values())
        self.front_ = ParetoFront.from_arrays(
            np.concatenate([curve.objective for curve in self.curves.values()]),
            np.concatenate([curve.violation for curve in self.curves.values()]),
        )
        ax.set_xlim(left=0)
        if front:
            handles.append(self._draw_front(ax))
        if tolerance is not None:
            handles.append(_draw_tolerance(ax, tolerance))
        ax.set_xlabel(self.violation_name)
        ax.set_ylabel(self.objective_name)
        ax.grid(alpha=0.3)
        ax.set_axisbelow(True)
        legend_below(ax, handles, [handle.get_label() for handle in handles])
        self._keep(ax)
        return self

    def _draw_front(self, ax: Any) -> Any:
        gain, loss = self.front_.points.T
        # What the front attains at a violation is what its last point within it attains.
        right = max(ax.get_xlim()[1], loss[-1])
        (line,) = ax.step(
            np.append(loss, right),
            np.append(gain, gain[-1]),
            where="post",
            color="0.6",
            linewidth=5,
            alpha=0.5,
            solid_capstyle="butt",
            zorder=1,
            label="Pareto front of all",
        )
        ax.set_xlim(0, right)
        return line

    def to_dict(self) -> dict[str, Any]:
        """Columns method, objective, violation, the ends of their intervals, and efficient."""
        records = []
        for name, curve in self.curves.items():
            efficient = set(curve.efficient.tolist())
            for i in range(len(curve.objective)):
                records.append(
                    {
                        "method": name,
                        "objective": curve.objective[i],
                        "objective_lower": curve.objective_lower[i],
                        "objective_upper": curve.objective_upper[i],
                        "violation": curve.violation[i],
                        "violation_lower": curve.violation_lower[i],
                        "violation_upper": curve.violation_upper[i],
                        "efficient": i in efficient,
                    }
                )
        return columns_of(records)


def _draw_curve(ax: Any, curve: TradeOffCurve, name: str, style: Any, intervals: bool) -> Any:
    """Intervals thin and behind, hollow marks for what is dominated, a line through the rest."""
    gain, loss = curve.objective, curve.violation
    kept = np.argsort(loss, kind="stable") if curve.is_path else curve.efficient
    if intervals:
        spread = {
            "xerr": [loss - curve.violation_lower, curve.violation_upper - loss],
            "yerr": [gain - curve.objective_lower, curve.objective_upper - gain],
        }
        for axis, ends in spread.items():
            known = kept[np.isfinite(np.asarray(ends)[:, kept]).all(axis=0)]
            if len(known):
                ax.errorbar(
                    loss[known],
                    gain[known],
                    **{axis: np.maximum(np.asarray(ends)[:, known], 0)},
                    fmt="none",
                    ecolor=style.color,
                    alpha=0.45,
                    elinewidth=1.1,
                    zorder=2,
                )
    rest = np.setdiff1d(np.arange(len(gain)), kept)
    ax.plot(
        loss[rest],
        gain[rest],
        style.marker,
        markerfacecolor="none",
        markeredgecolor=style.color,
        alpha=0.6,
        markersize=5,
        zorder=2,
    )
    (line,) = ax.plot(
        loss[kept],
        gain[kept],
        color=style.color,
        marker=style.marker,
        markersize=6 if len(gain) > 1 else 8,
        linestyle=style.linestyle if len(kept) > 1 else "none",
        linewidth=1.6,
        label=name,
        zorder=3,
    )
    return line


def _draw_tolerance(ax: Any, tolerance: float) -> Any:
    right = max(ax.get_xlim()[1], 1.1 * tolerance)
    ax.axvspan(
        tolerance, right, facecolor="none", edgecolor="0.85", hatch="//", linewidth=0, zorder=0
    )
    ax.set_xlim(0, right)
    return ax.axvline(
        tolerance, color=REFERENCE, linestyle=":", zorder=1, label=f"tolerance {tolerance:g}"
    )


def _several(predictions: Any, n_rows: int) -> Sequence[Any]:
    """Predictions of one curve's points, each of ``n_rows`` rows."""
    is_list = isinstance(predictions, list | tuple)
    if is_list and len(predictions) and np.ndim(predictions[0]) == 1:
        return predictions
    array = np.asarray(predictions)
    if array.ndim == 2 and array.shape[1] == n_rows:
        return list(array)
    return [predictions]


def _effective_rows(n_rows: int, weight: Any) -> float:
    if weight is None:
        return float(n_rows)
    weight = np.asarray(weight, dtype=float)
    return float(weight.sum() ** 2 / (weight**2).sum())


def _name_of(objective: Callable[..., float]) -> str:
    return spelled(getattr(objective, "__name__", "objective"))
