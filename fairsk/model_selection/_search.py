"""scikit-learn's searches, at home with refit rules.

scikit-learn leaves ``best_score_`` unset when ``refit`` is a callable, a halving search accepts
neither a scoring dict nor a refit callable, and a callable cannot reach the search that calls it.
Hence these subclasses: same parameters, same results, plus what is missing.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

# Importing it is scikit-learn's way to say that halving searches may still change.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV

from fairsk.model_selection._refit import RefitRule


class _ObjectiveAsBestScore:
    """Sets ``best_score_`` to the objective's mean score of the candidate that a rule chose."""

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run the search; parameters as in scikit-learn."""
        super().fit(X, y, **params)  # type: ignore[misc]
        rule = self.refit  # type: ignore[attr-defined]
        if isinstance(rule, RefitRule):
            scores = self.cv_results_[f"mean_test_{rule.objective}"]  # type: ignore[attr-defined]
            self.best_score_ = float(scores[self.best_index_])  # type: ignore[attr-defined]
        return self


class FairGridSearchCV(_ObjectiveAsBestScore, GridSearchCV):
    """`sklearn.model_selection.GridSearchCV` whose ``best_score_`` exists with a refit rule.

    Parameters and attributes are those of `GridSearchCV`. With ``refit=best_within_tolerance(...)``
    or ``knee_of_front(...)``, ``best_score_`` is the mean cross-validated objective of the chosen
    candidate. The rules work in a plain `GridSearchCV` too; only ``best_score_`` is missing there.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from fairsk.metrics import make_fairness_scorer
    >>> from fairsk.model_selection import best_within_tolerance
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(0, 2, 400)
    >>> X = np.column_stack([rng.normal(size=400) + group, group])
    >>> y = (X[:, 0] + rng.normal(size=400) > 0.5).astype(int)
    >>> search = FairGridSearchCV(
    ...     LogisticRegression(),
    ...     {"C": [1e-4, 1e-3, 1.0]},
    ...     scoring={
    ...         "accuracy": "accuracy",
    ...         "violation": make_fairness_scorer("demographic_parity", sensitive_columns=[1]),
    ...     },
    ...     refit=best_within_tolerance(0.3),
    ... ).fit(X, y)
    >>> bool(search.best_score_ == search.cv_results_["mean_test_accuracy"][search.best_index_])
    True
    """


class FairRandomizedSearchCV(_ObjectiveAsBestScore, RandomizedSearchCV):
    """`sklearn.model_selection.RandomizedSearchCV` whose ``best_score_`` exists with a rule.

    See `FairGridSearchCV`.
    """


class FairHalvingGridSearchCV(_ObjectiveAsBestScore, HalvingGridSearchCV):
    """`sklearn.model_selection.HalvingGridSearchCV` for several scores and a refit rule.

    scikit-learn's halving search takes one score and ignores a refit callable. Here ``scoring``
    may be a dict, and the rule decides which candidates go on to the next round, and which wins
    the last. ``cv_results_["mean_test_score"]`` is the candidate's place in the rule's order
    within its round, negated, 0 being the best.

    Parameters and attributes are otherwise those of `HalvingGridSearchCV`.
    """

    _parameter_constraints: ClassVar[dict] = {
        **HalvingGridSearchCV._parameter_constraints,
        "scoring": [*HalvingGridSearchCV._parameter_constraints["scoring"], dict],
    }

    def _format_results(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        results = super()._format_results(*args, **kwargs)
        if isinstance(self.refit, RefitRule):
            results["mean_test_score"] = _order_within_rounds(self.refit, results)
        return results

    def fit(self, X: Any, y: Any = None, **params: Any) -> FairHalvingGridSearchCV:
        """Run the search.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        **params
            Metadata, routed to the estimator, the scorers and the splitter.

        Raises
        ------
        ValueError
            If ``scoring`` is a dict and ``refit`` is no rule, or a score is NaN.
        """
        if isinstance(self.scoring, dict) and not isinstance(self.refit, RefitRule):
            raise ValueError(
                "With several scores the halving search needs a rule to rank candidates: "
                f"refit=best_within_tolerance(...) or knee_of_front(...), got {self.refit!r}."
            )
        super().fit(X, y, **params)
        if isinstance(self.refit, RefitRule):
            self.refit.check_chosen(self.cv_results_, self.best_index_)
        return self


def _order_within_rounds(rule: RefitRule, results: dict[str, Any]) -> np.ndarray:
    """Minus each candidate's place in the rule's order among those of its round."""
    rounds = np.asarray(results["iter"])
    merit = np.empty(len(rounds))
    for number in np.unique(rounds):
        rows = np.flatnonzero(rounds == number)
        scores = {k: np.asarray(v)[rows] for k, v in results.items() if k.startswith("split")}
        merit[rows[rule.order(scores)]] = -np.arange(len(rows), dtype=float)
    return merit
