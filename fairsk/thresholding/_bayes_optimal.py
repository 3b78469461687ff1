"""Bayes-optimal fair classification by post-processing."""

from __future__ import annotations

import copy
import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fairsk.base import (
    BOUND_PARAMETERS,
    UNSEEN,
    BaseFairClassifier,
    JointSettings,
    RuleSettings,
    check_cv_and_calibration,
    check_has_probabilities,
    choose_rule,
    clone_for_groups,
    fit_label_model,
    make_tuning_sample,
    predict_joint,
)
from fairsk.solvers import BayesRule, JointProbabilities
from fairsk.thresholding._certificate import FairnessCertificate, certify
from fairsk.thresholding._path import TradeOffPath
from fairsk.thresholding._row_thresholds import RowThresholds
from fairsk.utils import Groups


class BayesOptimalFairPostProcessor(BaseFairClassifier):
    r"""Threshold a classifier's probabilities so that groups are treated alike, at the least cost.

    Among all rules within the tolerance, the most accurate one selects x when

    .. math:: \eta(x) - c > \sum_k \lambda_k \varphi_k(x),

    where :math:`\eta(x) = P(Y = 1 \mid x)`, c is the cost and :math:`\varphi_k` the direction of
    the k-th fairness constraint, a weighted sum of the probabilities :math:`P(Y = y, A = a \mid
    x)`. The multipliers :math:`\lambda` solve a convex dual problem; the duality gap certifies
    that no rule does better on the same probabilities.

    Attribute-aware, this is a threshold for each group. Attribute-blind, it needs no group at
    prediction: a second model estimates the group's probability.

    Parameters
    ----------
    estimator : estimator, default=None
        Classifier or pipeline with ``predict_proba``; logistic regression by default. Wrap a
        fitted one in ``sklearn.frozen.FrozenEstimator`` to keep it as it is (then fit on rows that
        it has not seen).
    notion : str or FairnessNotion, default="demographic_parity"
        What must be equal, see `fairsk.list_notions`.
    measure : {"difference", "ratio"}, default="difference"
        Bound the difference or the ratio of rates.
    tolerance : float, default=0.05
        Largest difference allowed, in [0, 1]; used by ``measure="difference"``.
    ratio_bound : float, default=0.8
        Smallest ratio allowed, in (0, 1]; used by ``measure="ratio"``.
    contrast : {"population", "groups"}, default="population"
        Compare each group with the whole population (the paper's convention), or every pair of
        groups with each other (fairlearn's).
    groups : {"intersectional", "independent"}, default="intersectional"
        Groups are the combinations of all sensitive features, or those of each feature apart.
    attribute_aware : bool, default=False
        Whether the rule may use the sensitive features at prediction.
    group_estimator : estimator, default=None
        Attribute-blind: classifier of the group, multiclass for more than two; one is fitted on the
        rows of each label. By default of the family of `estimator`.
    cv : int, float, splitter or iterable, default=5
        Cross-fitting: the rule is tuned on out-of-fold probabilities of all rows and the models
        are refitted on all rows. A float is the share of rows held out for tuning instead, with
        the models fitted on the rest, as in the paper.
    cost : float, default=0.5
        The cost parameter c in (0, 1) of the cost-sensitive risk; 1/2 is the error rate.
    calibration : {None, "sigmoid", "isotonic", "temperature"}, default=None
        Calibrate the probabilities of the label out of fold.
    constrain : {"probabilities", "labels"}, default="labels"
        Whether the constraints hold for the model's probabilities, as in the paper, or for the
        labels and groups observed on the tuning rows. The two differ where the probabilities are
        miscalibrated within groups. For the labels, and up to some 100,000 rows, the multipliers
        are also sought that are the most accurate on these rows, unless a `confidence` is asked.
    multipliers : array-like of shape (n_multipliers,), default=None
        Multipliers given by hand, one a constraint in the order of ``multiplier_names_``; nothing
        is solved, and ``GridSearchCV`` can tune them.
    confidence : float in (0, 1), default=None
        Tighten the constraints so that the violation in the population stays within the bound
        with this probability. Implies ``constrain="labels"``.
    randomize : bool, default=False
        Decide ties at random with the probabilities of the exact solution, instead of one way for
        all. Models with few distinct probabilities (small trees) need it to meet tight bounds.
    unseen : {"error", "blind"}, default="error"
        Attribute-aware: what a group that was not seen in fit, or that is not given, becomes: an
        error, or the rule for unknown groups (the groups' shares stand in).
    sensitive_columns : sequence of str or int, default=None
        Columns of X that are the sensitive features, by name or position, for tools that pass no
        metadata to ``predict``.
    drop_sensitive_columns : bool or "auto", default="auto"
        Whether the models are kept from seeing `sensitive_columns`; "auto" drops them unless
        `attribute_aware`.
    n_jobs : int, default=None
        Folds fitted at the same time.
    verbose : int, default=0
        Progress over the folds, as in joblib, and over the bounds of `path`.
    random_state : int, default=None
        Seeds the folds, the resampling and the randomised ties.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second is the positive decision.
    multipliers_ : ndarray of shape (n_multipliers,)
        Lagrange multipliers; a positive one lowers the selection of its group.
    multiplier_names_ : tuple of str
        The constraint that each multiplier prices.
    certificate_ : FairnessCertificate or None
        What was asked and what is achieved; None when fitted without sensitive features.
    rule_ : BayesRule or None
    models_ : JointModels
        The fitted models of the label and of the groups.

    Notes
    -----
    The rule is only as good as the probabilities. Rare groups limit what can be promised: see
    ``certificate_.interval`` and ``certificate_.smallest_cell``.

    References
    ----------
    Bayes-Optimal Fair Classification with Multiple Sensitive Features: Theorems 1 and 2,
    Algorithm 2, Corollaries 1 to 6.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fairsk import BayesOptimalFairPostProcessor
    >>> from fairsk.datasets import load_compas
    >>> X, y, A = load_compas(return_X_y=True)
    >>> base = make_pipeline(StandardScaler(), LogisticRegression())
    >>> model = BayesOptimalFairPostProcessor(base, tolerance=0.02, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=A)
    >>> bool(model.certificate_.observed_violation < 0.025)
    True
    >>> model.predict(X[:3]).shape
    (3,)
    """

    __metadata_request__predict: ClassVar = {"sensitive_features": True}
    __metadata_request__predict_proba: ClassVar = {"sensitive_features": True}
    __metadata_request__decision_function: ClassVar = {"sensitive_features": True}

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
        attribute_aware: bool = False,
        group_estimator: Any = None,
        cv: Any = 5,
        cost: float = 0.5,
        calibration: str | None = None,
        constrain: str = "labels",
        multipliers: Any = None,
        confidence: float | None = None,
        randomize: bool = False,
        unseen: str = "error",
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
        self.attribute_aware = attribute_aware
        self.group_estimator = group_estimator
        self.cv = cv
        self.cost = cost
        self.calibration = calibration
        self.constrain = constrain
        self.multipliers = multipliers
        self.confidence = confidence
        self.randomize = randomize
        self.unseen = unseen
        self.sensitive_columns = sensitive_columns
        self.drop_sensitive_columns = drop_sensitive_columns
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    # ------------------------------------------------------------------ fit

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._rule_settings().check()
        check_cv_and_calibration(self.cv, self.calibration)
        if self.unseen not in UNSEEN:
            raise ValueError(f"unseen must be one of {UNSEEN}, got {self.unseen!r}.")
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
            constrain=self.constrain,
            multipliers=self.multipliers,
            confidence=self.confidence,
            randomize=self.randomize,
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
            attribute_aware=self.attribute_aware,
            calibration=self.calibration,
            cv=self.cv,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            random_state=self.random_state,
        )

    def _fit(self, X: Any, y: np.ndarray, groups: Groups, sample_weight: Any) -> None:
        self._check_frozen_classes()
        settings = self._rule_settings()
        settings.check_cells(y, groups)
        sample, self.models_ = make_tuning_sample(
            self._joint_settings(), X, y, groups, sample_weight
        )
        self._tuning_sample = sample
        self._set_rule(choose_rule(settings, sample), settings.bound)

    def _fit_plain(self, X: Any, y: np.ndarray, sample_weight: Any) -> None:
        self._check_frozen_classes()
        self.models_ = fit_label_model(self._joint_settings(), X, y, sample_weight)
        self.rule_: BayesRule | None = None
        self.certificate_: FairnessCertificate | None = None
        self.multipliers_ = np.zeros(0)
        self.multiplier_names_: tuple[str, ...] = ()

    def _check_frozen_classes(self) -> None:
        estimator = self._inner_estimator()
        if not isinstance(estimator, FrozenEstimator):
            return
        fitted, given = np.asarray(estimator.classes_).tolist(), self.classes_.tolist()
        if fitted != given:
            raise ValueError(
                f"The frozen estimator was fitted on classes {fitted}, but y has {given}."
            )

    def _set_rule(self, rule: BayesRule, bound: float) -> None:
        self.rule_ = rule
        self.multipliers_ = rule.multipliers
        self.multiplier_names_ = rule.multiplier_names
        self.certificate_ = certify(self._rule_settings(), self._tuning_sample, rule, bound)

    def path(self, bounds: ArrayLike) -> TradeOffPath:
        """The trade-off between accuracy and fairness, without training again.

        Parameters
        ----------
        bounds : array-like of float
            Tolerances (or ratio levels, for ``measure="ratio"``), in any order.

        Returns
        -------
        TradeOffPath
            In the order given; ``path.at(bound)`` is a fitted estimator.
        """
        check_is_fitted(self)
        if self.rule_ is None:
            raise ValueError("path needs an estimator that was fitted with sensitive features.")
        settings = self._rule_settings()
        if settings.multipliers is not None:
            raise ValueError("path needs multipliers=None: given multipliers fix the rule.")
        levels = np.asarray(bounds, dtype=float).ravel()
        for level in levels:
            settings.check_bound(float(level))
        estimators: list[Any] = [None] * len(levels)
        parameter = BOUND_PARAMETERS[self.measure]
        initial = None
        # From loose to tight, each solution is a good start for the next.
        order = np.argsort(levels if self.measure == "ratio" else -levels, kind="stable")
        for done, place in enumerate(order, start=1):
            bound, start = float(levels[place]), time.perf_counter()
            rule = choose_rule(settings, self._tuning_sample, bound=bound, initial=initial)
            point = copy.copy(self)
            setattr(point, parameter, bound)
            point._set_rule(rule, bound)
            estimators[place], initial = point, rule.multipliers
            if self.verbose:
                seconds = time.perf_counter() - start
                print(f"[path] {done} of {len(order)}: {parameter}={bound:g}, {seconds:.1f} s")
        if not settings.is_exact:
            # The search on observed labels can leave a looser bound the less accurate rule.
            for looser, tighter in zip(order[-2::-1], order[:0:-1], strict=True):
                if estimators[tighter].certificate_.beats(estimators[looser].certificate_):
                    estimators[looser]._set_rule(estimators[tighter].rule_, levels[looser].item())
        certificates = [estimator.certificate_ for estimator in estimators]
        return TradeOffPath(
            bounds=levels,
            expected_accuracy=np.array([c.expected_accuracy for c in certificates]),
            expected_violation=np.array([c.expected_violation for c in certificates]),
            observed_accuracy=np.array([c.observed_accuracy for c in certificates]),
            observed_violation=np.array([c.observed_violation for c in certificates]),
            multipliers=np.array([estimator.multipliers_ for estimator in estimators]),
            estimators=tuple(estimators),
        )

    # -------------------------------------------------------------- predict

    def _joint(self, X: Any, sensitive_features: Any) -> JointProbabilities:
        """Probabilities of the rows, with their groups where the rule uses them."""
        self._check_fitted(X)
        inner_X, features = self._split_at_predict(X, sensitive_features)
        groups = None
        if self.attribute_aware and self.rule_ is not None:
            if features is None and self.unseen == "error":
                raise ValueError(
                    "This model is attribute-aware: give predict(X, sensitive_features=...), or "
                    "set sensitive_columns for tools that pass no metadata, or unseen='blind' to "
                    "treat the groups as unknown."
                )
            groups = self._groups_to_predict(features, self.unseen)
        return predict_joint(self.models_, inner_X, groups)

    def decision_function(self, X: Any, *, sensitive_features: Any = None) -> np.ndarray:
        """Margin of the rule: eta(x) - c - sum_k lambda_k phi_k(x); selected where positive.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Used by attribute-aware rules; missing values fall back to the groups' shares.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        joint = self._joint(X, sensitive_features)
        if self.rule_ is None:
            return joint.posterior - self.cost
        return self.rule_.scores(joint)

    def row_thresholds(self, X: Any, *, sensitive_features: Any = None) -> RowThresholds:
        """The probability of each row, and the threshold that the fair rule holds it against.

        Attribute-aware, the threshold is that of the row's group; attribute-blind, it depends on
        how likely the row is to belong to each group.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sensitive_features : array-like, optional
            Used by attribute-aware rules only.

        Returns
        -------
        RowThresholds
        """
        joint = self._joint(X, sensitive_features)
        if self.rule_ is None:
            cost = np.full(len(joint), float(self.cost))
            return RowThresholds(joint.posterior, cost, np.ones(len(joint), dtype=bool))
        return RowThresholds(joint.posterior, *self.rule_.thresholds(joint))

    def predict_proba(self, X: Any, *, sensitive_features: Any = None) -> np.ndarray:
        """The posterior moved by the rule's correction, so that 1/2 is the fair threshold.

        Without constraints and at cost 1/2 this is P(Y | x). With them it ranks and thresholds as
        the fair rule does, and is no longer calibrated to the label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sensitive_features : array-like, optional

        Returns
        -------
        ndarray of shape (n_samples, 2)
        """
        positive = np.clip(
            self.decision_function(X, sensitive_features=sensitive_features) + 0.5, 0, 1
        )
        return np.column_stack([1 - positive, positive])

    def selection_probability(self, X: Any, *, sensitive_features: Any = None) -> np.ndarray:
        """Probability with which the rule selects each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sensitive_features : array-like, optional

        Returns
        -------
        ndarray of shape (n_samples,)
            0 or 1, but for ties of a rule with ``randomize=True``.
        """
        joint = self._joint(X, sensitive_features)
        if self.rule_ is None:
            return (joint.posterior > self.cost).astype(float)
        return self.rule_.decide(joint, randomize=self.randomize)

    def predict(self, X: Any, *, sensitive_features: Any = None) -> np.ndarray:
        """Fair decisions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Used by attribute-aware rules only.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of `classes_`. With ``randomize=True`` ties are drawn from `random_state`, the
            same way at every call.
        """
        probability = self.selection_probability(X, sensitive_features=sensitive_features)
        if self.randomize:
            draws = check_random_state(self.random_state or 0).random(len(probability))
            return self.classes_[(draws < probability).astype(int)]
        return self.classes_[(probability > 0.5).astype(int)]

    def _predict_for_score(self, X: Any, sensitive_features: Any) -> np.ndarray:
        return self.predict(X, sensitive_features=sensitive_features)
