"""A scorer of equalized odds for any label and any sensitive features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.independence import equalized_odds_kpc
from fairsk.metrics import make_fairness_scorer

# Probabilities where a model has them, scores otherwise; the predictions of a regressor.
RESPONSE_METHODS = ("predict_proba", "decision_function", "predict")


@dataclass(frozen=True)
class _KernelPartialCorrelationMetric:
    """`equalized_odds_kpc` with its options set; the scorer's ``repr`` shows the name."""

    kernel: str | Callable[..., np.ndarray]
    bandwidth: str | float
    n_neighbors: int
    clip: bool
    name: str = "equalized_odds_kpc"

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, *, sensitive_features: Any) -> float:
        value = equalized_odds_kpc(
            y_true,
            y_pred,
            sensitive_features=sensitive_features,
            kernel=self.kernel,
            bandwidth=self.bandwidth,
            n_neighbors=self.n_neighbors,
        )
        return max(value, 0.0) if self.clip else value


def make_kpc_scorer(
    *,
    kernel: str | Callable[..., np.ndarray] = "gaussian",
    bandwidth: str | float = "median",
    n_neighbors: int = 1,
    clip: bool = True,
    response_method: str | Sequence[str] = RESPONSE_METHODS,
    sensitive_columns: Sequence[str | int] | None = None,
) -> Any:
    """A scorer of equalized odds by kernel partial correlation, negated: greater is fairer.

    For what the notions' scorers refuse: continuous and mixed sensitive features, regression and
    many classes. With `best_within_tolerance` a search picks the best model whose kernel partial
    correlation is at most a bound. Values are comparable between candidates of one search, whose
    folds have the same number of rows; a constant prediction scores 0.

    Parameters
    ----------
    kernel, bandwidth, n_neighbors
        As in `~fairsk.independence.kernel_partial_correlation`. Ties are averaged, so that the
        score of a model does not vary.
    clip : bool, default=True
        Whether an estimate below zero, by chance, counts as zero. The rules of this room take
        violations, which are never negative.
    response_method : str or list of str, default=("predict_proba", "decision_function", "predict")
        What is scored: the first that the model has. Of two classes, the probability of one.
    sensitive_columns : list of str or int, optional
        Columns of X that hold the sensitive features; without it they come as
        ``sensitive_features``. See `~fairsk.metrics.make_fairness_scorer`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sensitive_features=None) -> float``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from fairsk.model_selection import make_kpc_scorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 2))
    >>> age, y = X[:, 0], X[:, 1] + 0.5 * rng.normal(size=1000)
    >>> scorer = make_kpc_scorer()
    >>> fair = Ridge().fit(X, y)
    >>> abs(scorer(fair, X, y, sensitive_features=age)) < 0.1
    True
    >>> unfair = Ridge().fit(X, y + age)
    >>> scorer(unfair, X, y, sensitive_features=age) < -0.5
    True
    """
    return make_fairness_scorer(
        _KernelPartialCorrelationMetric(kernel, bandwidth, n_neighbors, clip),
        greater_is_better=False,
        response_method=response_method,
        sensitive_columns=sensitive_columns,
    )
