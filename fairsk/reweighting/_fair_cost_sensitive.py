"""Bayes-optimal fair classification by cost-sensitive training."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fairsk.base import (
    BaseFairClassifier,
    JointSettings,
    RuleSettings,
    check_cv_and_calibration,
    check_has_probabilities,
    clone_for_groups,
    fit_model,
    weight_parameter,
)
from fairsk.reweighting._dual_updates import DualUpdate, DualUpdater, best_update, fair_costs
from fairsk.utils import Groups


class FairCostSensitiveClassifier(BaseFairClassifier):
    r"""Train any weighted classifier so that groups are treated alike, at the least cost.

    The Bayes-optimal fair rule minimises an ordinary cost-sensitive risk whose cost depends on the
    instance, :math:`\tilde c(x) = c + \sum_k \lambda_k \varphi_k(x)`: weight
    :math:`1 - \tilde c` on positives, :math:`\tilde c` on negatives, and a negative weight on one
    label is a positive weight on the other. So a model trained on reweighted, partly relabelled
    data is fair, and prediction needs neither the sensitive features nor a model of them.

    The multipliers start from the plug-in solution and are then updated on the violation of the
    trained model out of fold; the best round is kept.

    Parameters
    ----------
    estimator : estimator, default=None
        Classifier or pipeline whose ``fit`` takes ``sample_weight``; logistic regression by
        default.
    notion, measure, tolerance, ratio_bound, contrast, groups, cost, confidence
        As in `fairsk.BayesOptimalFairPostProcessor`.
    multipliers : array-like of shape (n_multipliers,), default=None
        Multipliers given by hand: nothing is solved or updated, the model is trained once.
    max_updates : int, default=5
        Updates of the multipliers, each of which trains `cv` models; 0 keeps the plug-in's.
    group_estimator : estimator, default=None
        Classifier of the group for the plug-in start, one for the rows of each label; by default of
        the family of `estimator`. Not used at prediction.
    cv : int, float, splitter or iterable, default=5
        Folds (or the held-out share) on which the multipliers are chosen.
    calibration : {None, "sigmoid", "isotonic", "temperature"}, default=None
        Of the plug-in's label probabilities.
    sensitive_columns, drop_sensitive_columns, n_jobs, verbose, random_state
        As in `fairsk.BayesOptimalFairPostProcessor`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    estimator_ : estimator
        The trained model, on fair targets 0 and 1.
    multipliers_ : ndarray of shape (n_multipliers,)
    multiplier_names_ : tuple of str
    history_ : list of DualUpdate
        Out-of-fold violation and accuracy of each round; empty for given multipliers.

    Warns
    -----
    ConvergenceWarning
        If no round is within the bound, with the violation that remains.

    Notes
    -----
    A model that cannot represent the Bayes rule (a linear one on a curved boundary) may miss tight
    bounds, and with many small groups the rows' weights become uneven;
    `fairsk.BayesOptimalFairPostProcessor` does not have these limits.

    References
    ----------
    Bayes-Optimal Fair Classification with Multiple Sensitive Features: Theorem 3, Corollary 7,
    Algorithm 1 and Appendix F.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fairsk import FairCostSensitiveClassifier
    >>> from fairsk.datasets import load_compas
    >>> X, y, A = load_compas(return_X_y=True)
    >>> base = make_pipeline(StandardScaler(), LogisticRegression())
    >>> model = FairCostSensitiveClassifier(base, tolerance=0.1, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=A[:, :1])
    >>> bool(min(update.violation for update in model.history_) < 0.11)
    True
    >>> model.predict(X[:3]).shape
    (3,)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        notion: Any = "demographic_parity",
        measure: str = "difference",
        tolerance: float = 0.05,
        ratio_bound: float = 0.8,
        contrast: str = "population",
        groups: str = "intersectional",
        multipliers: Any = None,
        max_updates: int = 5,
        group_estimator: Any = None,
        cv: Any = 5,
        cost: float = 0.5,
        calibration: str | None = None,
        confidence: float | None = None,
        sensitive_columns: Any = None,
        drop_sensitive_columns: Any = "auto",
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.notion = notion
        self.measure = measure
        self.tolerance = tolerance
        self.ratio_bound = ratio_bound
        self.contrast = contrast
        self.groups = groups
        self.multipliers = multipliers
        self.max_updates = max_updates
        self.group_estimator = group_estimator
        self.cv = cv
        self.cost = cost
        self.calibration = calibration
        self.confidence = confidence
        self.sensitive_columns = sensitive_columns
        self.drop_sensitive_columns = drop_sensitive_columns
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        weight_parameter(self._inner_estimator())
        self._rule_settings().check()
        check_cv_and_calibration(self.cv, self.calibration)
        if not isinstance(self.max_updates, Integral) or self.max_updates < 0:
            raise ValueError(f"max_updates must be an integer >= 0, got {self.max_updates!r}.")
        if self.group_estimator is not None:
            check_has_probabilities(self.group_estimator)

    def _rule_settings(self) -> RuleSettings:
        return RuleSettings(
            notion=self.notion,
            measure=self.measure,
            contrast=self.contrast,
            tolerance=self.tolerance,
            ratio_bound=self.ratio_bound,
            cost=self.cost,
            constrain="probabilities",
            multipliers=self.multipliers,
            confidence=self.confidence,
            randomize=True,
            random_state=self.random_state,
        )

    def _joint_settings(self) -> JointSettings:
        estimator = self._inner_estimator()
        group_estimator = self.group_estimator
        if group_estimator is None:
            group_estimator = clone_for_groups(estimator)
        return JointSettings(
            estimator=estimator,
            group_estimator=group_estimator,
            attribute_aware=False,
            calibration=self.calibration,
            cv=self.cv,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            random_state=self.random_state,
        )

    def _fit(self, X: Any, y: np.ndarray, groups: Groups, sample_weight: Any) -> None:
        settings = self._rule_settings()
        constraints = settings.check_cells(y, groups)
        problem = settings.problem(groups)
        if self.multipliers is None:
            updater = DualUpdater(settings, self._joint_settings(), int(self.max_updates))
            self.history_ = updater.run(X, y, groups, sample_weight)
            best = best_update(self.history_)
            self.multipliers_ = best.multipliers
            self._warn_of_excess(best)
        else:
            self.history_ = []
            self.multipliers_ = constraints.check_multipliers(self.multipliers)
        self.multiplier_names_ = constraints.multiplier_names
        target, weight = fair_costs(
            problem, settings.bound, self.multipliers_, y, groups, sample_weight
        )
        self.estimator_ = fit_model(self._inner_estimator(), X, target, weight)

    def _warn_of_excess(self, best: DualUpdate) -> None:
        if best.excess > best.grain:
            level, bound = self.confidence, self._rule_settings().bound
            margin = "" if level is None else f" with the margin for confidence={level:g}"
            warnings.warn(
                f"The best of {len(self.history_)} rounds has a violation of {best.violation:.4f} "
                f"out of fold, which{margin} is beyond the bound of {bound:g}. Allow more "
                f"max_updates, a more flexible estimator, or use BayesOptimalFairPostProcessor.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _fit_plain(self, X: Any, y: np.ndarray, sample_weight: Any) -> None:
        weight = sample_weight
        if self.cost != 0.5:
            unit = np.ones(len(y)) if sample_weight is None else sample_weight
            weight = 2 * np.where(y == 1, 1 - self.cost, self.cost) * unit
        self.history_ = []
        self.multipliers_, self.multiplier_names_ = np.zeros(0), ()
        self.estimator_ = fit_model(self._inner_estimator(), X, y, weight)

    def predict(self, X: Any) -> np.ndarray:
        """Fair decisions, without the sensitive features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of `classes_`.
        """
        inner_X = self._model_input(X)
        codes = self.estimator_.predict(inner_X)
        return self.classes_[np.asarray(codes).astype(int)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The trained model's probabilities of the fair label; 1/2 is the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, 2)
        """
        inner_X = self._model_input(X)
        return self.estimator_.predict_proba(inner_X)

    def _model_input(self, X: Any) -> Any:
        self._check_fitted(X)
        return self._split_at_predict(X, None)[0]
