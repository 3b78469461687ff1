"""The permutation distribution of a statistic beside its value on the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairsk.independence import EqualizedOddsTest, EqualizedOddsTests, equalized_odds_test
from fairsk.metrics import response_of, serving_estimator
from fairsk.plotting._display import Display, as_models, columns_of
from fairsk.plotting._ridges import draw_ridge, label_rows, ridge_handles
from fairsk.plotting._style import axes_or_new, legend_below, spelled, style_of, wrapped

# Probabilities where a model has them: the test then sees more than the decisions.
RESPONSES = ("predict_proba", "decision_function", "predict")
# Statistics that go by their initials.
NAMES = {
    "kpc": "kernel partial correlation",
    "hgr": "maximal correlation (HGR) given the label",
    "deo": "sum of the groups' distances in both error rates (DEO)",
}


class PermutationTestDisplay(Display):
    """Values of a statistic on permuted copies, and on the data, with the p-value.

    The hatched part is the copies whose statistic is at least that of the data: the p-value is
    its share, the data counted as one more copy.

    Parameters
    ----------
    statistic : dict of str to float
        By model, on the data.
    permuted_statistics : dict of str to ndarray of shape (n_permutations,)
    pvalue : dict of str to float
    statistic_name : str, default="statistic"

    Attributes
    ----------
    statistic, permuted_statistics, pvalue : dict
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from fairsk.plotting import PermutationTestDisplay
    >>> rng = np.random.default_rng(0)
    >>> sex, label = rng.choice(["f", "m"], 500), rng.integers(0, 2, 500)
    >>> display = PermutationTestDisplay.from_predictions(
    ...     label, label + 0.5 * (sex == "f") + rng.normal(size=500), sensitive_features=sex,
    ...     random_state=0, ax=Figure().subplots(),
    ... )
    >>> display.pvalue
    {'model': 0.01}
    """

    def __init__(
        self,
        statistic: Mapping[str, float],
        permuted_statistics: Mapping[str, np.ndarray],
        pvalue: Mapping[str, float],
        *,
        statistic_name: str = "statistic",
    ) -> None:
        if not set(statistic) == set(permuted_statistics) == set(pvalue):
            raise ValueError(
                f"Statistics, copies and p-values are of different models: {list(statistic)}, "
                f"{list(permuted_statistics)}, {list(pvalue)}."
            )
        self.statistic = dict(statistic)
        self.permuted_statistics = {
            key: np.asarray(values, dtype=float) for key, values in permuted_statistics.items()
        }
        self.pvalue = dict(pvalue)
        self.statistic_name = statistic_name

    @classmethod
    def from_result(
        cls,
        result: EqualizedOddsTest | EqualizedOddsTests | tuple[float, Any, float],
        *,
        name: str | None = None,
        ax: Any = None,
    ) -> PermutationTestDisplay:
        """Draw the result of a test that was run before.

        Parameters
        ----------
        result : EqualizedOddsTest, EqualizedOddsTests or tuple
            Of `fairsk.independence.equalized_odds_test`, or (score, permutation scores, p-value),
            which `sklearn.model_selection.permutation_test_score` returns.
        name : str, optional
            Of a single model.
        ax : matplotlib Axes, optional

        Returns
        -------
        PermutationTestDisplay
        """
        title = name or "model"
        statistic_name = "statistic"
        if isinstance(result, EqualizedOddsTests):
            tests = result.results
        elif isinstance(result, EqualizedOddsTest):
            tests = {title: result}
        elif isinstance(result, tuple) and len(result) == 3:
            value, copies, pvalue = result
            one = {title: float(value)}, {title: np.asarray(copies)}, {title: float(pvalue)}
            return cls(*one, statistic_name="score").plot(ax=ax)
        else:
            raise TypeError(
                f"result must come from equalized_odds_test or be a tuple (value, values on "
                f"copies, p-value); got {type(result).__name__}."
            )
        statistic_name = next(iter(tests.values())).statistic_name
        display = cls(
            {key: test.statistic for key, test in tests.items()},
            {key: test.permuted_statistics for key, test in tests.items()},
            {key: test.pvalue for key, test in tests.items()},
            statistic_name=statistic_name,
        )
        return display.plot(ax=ax)

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
    ) -> PermutationTestDisplay:
        """Test equalized odds of fitted models on data that they have not seen, and draw it.

        Parameters
        ----------
        estimator : estimator or dict of str to estimator
            Its probabilities are tested where it has them, else its decision function or its
            predictions. Those that ask for the sensitive features get them.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        name : str, optional
        ax : matplotlib Axes, optional
        **options
            Of `fairsk.independence.equalized_odds_test`: statistic, n_permutations,
            random_state, ...

        Returns
        -------
        PermutationTestDisplay
        """

        def respond(model: Any) -> np.ndarray:
            serving = serving_estimator(model)
            method = next(method for method in RESPONSES if hasattr(serving, method))
            output = response_of(
                model, X, sensitive_features=sensitive_features, response_method=method
            )
            binary = method == "predict_proba" and output.shape[1] == 2
            return output[:, 1] if binary else output

        models = as_models(estimator, name, type(estimator).__name__)
        outputs = {key: respond(model) for key, model in models.items()}
        return cls.from_predictions(
            y, outputs, sensitive_features=sensitive_features, ax=ax, **options
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
    ) -> PermutationTestDisplay:
        """Test equalized odds of predictions and draw the test.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
        y_pred : array-like of shape (n_samples,) or (n_samples, n_classes), or dict of str to them
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        name : str, optional
        ax : matplotlib Axes, optional
        **options
            Of `fairsk.independence.equalized_odds_test`: statistic, n_permutations,
            random_state, ...

        Returns
        -------
        PermutationTestDisplay
        """
        models = as_models(y_pred, name, "model")
        result = equalized_odds_test(
            y_true, models, sensitive_features=sensitive_features, **options
        )
        return cls.from_result(result, ax=ax)

    def plot(self, *, ax: Any = None) -> PermutationTestDisplay:
        """Draw the distribution of each model's statistic on the copies.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        self
        """
        ax = axes_or_new(ax, type(self).__name__, height=1.5 + 0.95 * len(self.statistic))
        everything = np.concatenate(
            [*self.permuted_statistics.values(), np.array(list(self.statistic.values()))]
        )
        low, high = everything.min(), everything.max()
        pad = 0.05 * (high - low) or 0.5
        labels: list[str] = []
        for k, (name, value) in enumerate(self.statistic.items()):
            copies = self.permuted_statistics[name]
            # The copies of each model fill bins of their own width: they may be far narrower than
            # the distance between models.
            edges = np.linspace(copies.min(), copies.max(), 26)
            if copies.min() == copies.max():
                edges = copies.min() + pad * np.array([-0.25, 0.25])
            draw_ridge(ax, k, copies, copies >= value, edges, style_of(k).color)
            handles = {"data": _mark_value(ax, k, value, low, high)}
            labels.append(f"{wrapped(name)}\np = {self.pvalue[name]:.3g}")
        label_rows(ax, labels)
        ax.set_xlim(low - pad, high + pad)
        ax.set_xlabel(NAMES.get(self.statistic_name, spelled(self.statistic_name)))
        ax.grid(axis="x", alpha=0.3)
        ax.set_axisbelow(True)
        handles |= ridge_handles("copies at or above the data", "other copies")
        legend_below(ax, list(handles.values()), list(handles))
        self._keep(ax)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Columns model, copy (-1 is the data) and value."""
        records = []
        for name, copies in self.permuted_statistics.items():
            records.append({"model": name, "copy": -1, "value": self.statistic[name]})
            records += [
                {"model": name, "copy": k, "value": value} for k, value in enumerate(copies)
            ]
        return columns_of(records)


def _mark_value(ax: Any, k: int, value: float, low: float, high: float) -> Any:
    (line,) = ax.plot(
        [value, value], [k, k - 0.8], color="black", linewidth=2, marker="v", markevery=[1]
    )
    left = value > (low + high) / 2
    ax.annotate(
        f"{value:.3g}",
        (value, k - 0.8),
        xytext=(-7 if left else 7, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize="small",
    )
    return line
