"""FairIF: weights from balanced influence, then training with them."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight, validate_data

from fairsk.base import BaseFairClassifier, check_fraction, check_rows
from fairsk.curvature import TrainedModel, check_agreement, check_differentiable, trained_model
from fairsk.reweighting._balance import Balancer, BalanceSettings, resolve_damping
from fairsk.reweighting._rate_gaps import (
    RateGaps,
    Surrogate,
    check_contrast,
    describe,
    resolve_targets,
)
from fairsk.reweighting._rounds import ReweightingRound, RoundsResult, run_rounds
from fairsk.reweighting._training import check_trainable, fit_from, fit_weighted
from fairsk.reweighting._validation_rows import (
    ValidationRows,
    check_validation_given,
    encode_validation,
    hold_out,
    warn_of_shared_rows,
)
from fairsk.utils import GroupEncoder, Groups

# Rows on which the parameters are compared with the estimator's own probabilities.
ROWS_TO_COMPARE = 100


class InfluenceReweighter(BaseFairClassifier):
    r"""Weight the training rows so that groups are treated alike, and train with the weights.

    Group labels are needed for a validation set only. The influence of a training row on a rate is
    the derivative of that rate with respect to the row's weight, at the minimum that training
    found. The smallest change of weights that closes the gaps between groups is solved for,

    .. math:: \min_\epsilon \|d - V \epsilon\|^2 + \lambda \|\epsilon\|_2,
        \qquad \tfrac1n + \epsilon_i \ge 0,

    with d the gaps of smooth rates on the validation rows and
    :math:`v_i = (\nabla F^{(1)} - \nabla F^{(0)})^\top H^{-1} \nabla \ell(z_i)`, and a fresh model
    is trained with weights :math:`1 + n \epsilon_i`. Prediction needs no group.

    Parameters
    ----------
    estimator : estimator, default=None
        A differentiable classifier that takes ``sample_weight``: `LogisticRegression` (the
        default), `SGDClassifier` with log loss, `MLPClassifier`, a network of fairsk, or a
        pipeline that ends in one. In a ``FrozenEstimator``, it has been trained already: stage one
        is left out, and a clone is trained with the weights.
    targets : str, FairnessNotion or sequence, default=("tpr", "tnr")
        The rates to equalise: ``"tpr"``, ``"tnr"``, or notions such as ``"demographic_parity"``.
    l2 : float, default=0.1
        The paper's lambda, which keeps the change of the weights small. The norm is not squared:
        the weights stay as they are where l2 is above a threshold.
    damping : "auto", float or sequence of float, default="auto"
        Added to the curvature, on the scale of the mean loss; "auto" is 1e-3 for linear models and
        1e-2 for networks. Of several, each is tried, which trains as many models, and the one with
        the lowest objective on the validation rows stays.
    nonnegative : bool, default=True
        Bound the weights below by zero. Without, it is the paper's problem: weights may become
        negative, which many estimators refuse.
    surrogate : {"sigmoid", "gumbel"}, default="sigmoid"
        Smooth decision in the rates: the sigmoid of the log-odds over the temperature, or the
        paper's Gumbel-softmax averaged over `n_draws`, which is noisier and tends to the
        probability, not to the decision, as its temperature falls.
    temperature : float, default=1.0
    n_draws : int, default=20
    contrast : {"auto", "groups", "population"}, default="auto"
        Gaps between every two groups, or of each group and everybody. "auto" takes the first for
        two groups, as in the paper, and the second for more.
    groups : {"intersectional", "independent"}, default="intersectional"
    validation_fraction : float, default=None
        Where no X_val is given: the share of rows of known group that is held out of training to
        measure gaps on. None measures on the training rows themselves, which suits models that
        fit training and other rows alike.
    n_rounds : int, default=1
        Times that weights are solved for and a model is trained. Later rounds start from the
        influence at the model before them, and the round of lowest objective stays.
    warm_start : bool, default=False
        Train with the weights from the parameters of stage one. (A network whose ``module`` is
        pretrained starts from it in both stages either way.)
    refit : bool, default=True
        False leaves stage two out: `sample_weight_` is there, and the model is stage one's.
    parameters : {"all", "last"} or sequence of str, default="all"
        Of a network: the parameters that influence acts on.
    curvature : {"gauss_newton", "hessian"}, default="gauss_newton"
        The Hessian is exact for networks that have converged; it may be indefinite otherwise.
    solver : {"auto", "cholesky", "gram", "cg"}, default="auto"
        How the curvature is inverted: by its factors, those of the rows, or iterations.
    solver_tol, solver_max_iter : default=1e-2, 200
        Residual at which conjugate gradient stops, and its iterations at most.
    max_rows : int or None, default=5_000
        Conjugate gradient takes the curvature from so many rows, drawn with probability
        proportional to how much they bend the loss: rows that the model is sure of add little.
    sensitive_columns, drop_sensitive_columns
        As in `fairsk.BayesOptimalFairPostProcessor`.
    random_state : int or None, default=None
        Draws Gumbel noise, rows held out, and rows of the curvature.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    estimator_ : estimator
        The trained model, on targets 0 and 1.
    sample_weight_ : ndarray of shape (n_samples,)
        The weights of stage two; 0 for rows held out.
    influence_ : ndarray of shape (n_samples, n_gaps)
        Derivative of each gap in the weight of each row, where weights sum to one. Its sign is
        that of the change: positive where more weight raises the gap.
    gap_names_ : tuple of str
    gap_, predicted_gap_, achieved_gap_ : ndarray of shape (n_gaps,)
        Smooth gaps on the validation rows: of the plain model, as predicted for the weights, and
        as trained.
    rate_gap_ : ndarray of shape (n_gaps,)
        Achieved gaps of the decisions themselves.
    history_ : list of ReweightingRound
        The plain model, then every round.

    Warns
    -----
    ConvergenceWarning
        If no round lowers the objective on the validation rows (the plain model stays), or the
        inverse solve has not converged.
    SharedRowsWarning
        If validation rows are training rows too.
    SensitiveFeaturesWarning
        If there are no group labels anywhere: it is then the plain estimator.

    Notes
    -----
    When it works. Influence is a derivative at a minimum. (1) Training must converge to it, with
    weight decay: for logistic regression the prediction is right to a few per cent; an
    early-stopped network does not move along flat directions of the loss, and damping of .01 to 1
    stands for that. Compare `predicted_gap_` and `achieved_gap_`; raise damping where the achieved
    change is the smaller one, or let ``damping=(0.01, 0.1, 1.0), n_rounds=3`` find out, which costs
    nine trainings. (2) The validation rows need headroom: a gap on rows that the model
    fits is near zero and says nothing of other rows. (3) The smallest cell of the validation rows
    decides how well the gap is known: 50 rows give a standard error of .07, so that smaller gaps
    are noise and closing them only costs accuracy. (4) The gap has to be the data's doing: weights
    cannot help where the model lacks the features or the flexibility to treat groups alike.

    Equal TPR and TNR make the error rates of groups equal only if TPR = TNR, or if the groups have
    the same share of positives; the paper's Theorem 1 says more than its proof.

    With ``class_weight="balanced"``, class weights are counted again in stage two, which undoes a
    part of the change; give class weights as numbers.

    References
    ----------
    Training Fair Deep Neural Networks by Balancing Influence: equations 6 to 15, algorithm 1. The
    rates of (14) are normalised by the rows of their label, not by all rows of the group.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fairsk import InfluenceReweighter
    >>> from fairsk.datasets import load_compas
    >>> X, y, A = load_compas(return_X_y=True)
    >>> base = make_pipeline(StandardScaler(), LogisticRegression())
    >>> model = InfluenceReweighter(base, l2=0.01)
    >>> model = model.fit(X[:4000], y[:4000], X_val=X[4000:], y_val=y[4000:],
    ...                   sensitive_features_val=A[4000:, 0])
    >>> bool(abs(model.achieved_gap_).max() < abs(model.gap_).max() / 2)
    True
    """

    __metadata_request__fit: ClassVar = {
        "sensitive_features": True,
        "X_val": True,
        "y_val": True,
        "sensitive_features_val": True,
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        targets: Any = ("tpr", "tnr"),
        l2: float = 0.1,
        damping: Any = "auto",
        nonnegative: bool = True,
        surrogate: str = "sigmoid",
        temperature: float = 1.0,
        n_draws: int = 20,
        contrast: str = "auto",
        groups: str = "intersectional",
        validation_fraction: float | None = None,
        n_rounds: int = 1,
        warm_start: bool = False,
        refit: bool = True,
        parameters: Any = "all",
        curvature: str = "gauss_newton",
        solver: str = "auto",
        solver_tol: float = 1e-2,
        solver_max_iter: int = 200,
        max_rows: int | None = 5_000,
        sensitive_columns: Any = None,
        drop_sensitive_columns: Any = "auto",
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.targets = targets
        self.l2 = l2
        self.damping = damping
        self.nonnegative = nonnegative
        self.surrogate = surrogate
        self.temperature = temperature
        self.n_draws = n_draws
        self.contrast = contrast
        self.groups = groups
        self.validation_fraction = validation_fraction
        self.n_rounds = n_rounds
        self.warm_start = warm_start
        self.refit = refit
        self.parameters = parameters
        self.curvature = curvature
        self.solver = solver
        self.solver_tol = solver_tol
        self.solver_max_iter = solver_max_iter
        self.max_rows = max_rows
        self.sensitive_columns = sensitive_columns
        self.drop_sensitive_columns = drop_sensitive_columns
        self.random_state = random_state

    # ------------------------------------------------------------------ fit

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sensitive_features_val: Any = None,
    ) -> InfluenceReweighter:
        """Find the weights that close the gaps, and train with them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Two classes, of any type.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Groups of the training rows, where there are no validation rows. A missing value means
            that the group is unknown: a few known ones are enough.
        sample_weight : array-like of shape (n_samples,), optional
        X_val : array-like of shape (n_validation, n_features), optional
            Validation rows, held out of training. Inside a pipeline, name it in
            ``Pipeline(..., transform_input=["X_val"])``.
        y_val : array-like of shape (n_validation,), optional
        sensitive_features_val : array-like, optional
            Groups of the validation rows; read from X_val with `sensitive_columns`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Before training: for an estimator that is not differentiable, groups without rows of a
            label that a target needs, rows that do not match, or parameters out of range.
        SingularCurvatureError
            If the curvature has no inverse; the message names the damping.
        """
        if X_val is None and y_val is None and sensitive_features_val is None:
            super().fit(X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)
            return self
        self._check_parameters()
        check_validation_given(X_val, y_val, sensitive_features)
        check_rows(X, y, None)
        check_rows(X_val, y_val, sensitive_features_val)
        validate_data(self, X, skip_check_array=True)
        codes = self._encode_labels(y)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        inner_X, _ = self._split_sensitive(X, None)
        validate_data(self, X_val, skip_check_array=True, reset=False)
        inner_val, features = self._split_sensitive(X_val, sensitive_features_val)
        if features is None:
            raise ValueError(
                "There are no group labels anywhere: pass sensitive_features_val beside X_val, or "
                "set sensitive_columns."
            )
        self.group_encoder_ = GroupEncoder(self.groups).fit(features).check_not_constant()
        groups = self.group_encoder_.transform(features)
        codes_val = encode_validation(y_val, self.classes_)
        warn_of_shared_rows(inner_X, codes, inner_val, codes_val)
        known = np.flatnonzero(groups.known)
        validation = ValidationRows(
            _safe_indexing(inner_val, known), codes_val[known], groups.take(known)
        )
        self._balance(inner_X, codes, weight, np.ones(len(codes), dtype=bool), validation)
        return self

    def _fit(self, X: Any, y: np.ndarray, groups: Groups, sample_weight: Any) -> None:
        trains = np.ones(len(y), dtype=bool)
        if self.validation_fraction is None:
            rows = groups.known
        else:
            rows = hold_out(y, groups, float(self.validation_fraction), self.random_state)
            trains = ~rows
        if sample_weight is not None:
            rows = rows & (np.asarray(sample_weight) > 0)
        rows = np.flatnonzero(rows)
        weight = None if sample_weight is None else sample_weight[rows]
        validation = ValidationRows(_safe_indexing(X, rows), y[rows], groups.take(rows), weight)
        self._balance(X, y, sample_weight, trains, validation)

    def _fit_plain(self, X: Any, y: np.ndarray, sample_weight: Any) -> None:
        self.estimator_ = self._plain_model(X, y, sample_weight)
        self.sample_weight_ = np.ones(len(y)) if sample_weight is None else sample_weight
        self.influence_ = np.zeros((len(y), 0))
        self.gap_names_: tuple[str, ...] = ()
        self.gap_ = self.predicted_gap_ = self.achieved_gap_ = self.rate_gap_ = np.zeros(0)
        self.history_: list[ReweightingRound] = []

    def _balance(
        self,
        X: Any,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        trains: np.ndarray,
        validation: ValidationRows,
    ) -> None:
        """Both stages, on the rows that train and have a weight."""
        gaps = RateGaps(
            resolve_targets(self.targets),
            validation.y,
            validation.groups,
            validation.sample_weight,
            self.contrast,
            self._surrogate(),
        )
        if sample_weight is not None:
            trains = trains & (sample_weight > 0)
        rows = np.flatnonzero(trains)
        if len(np.unique(y[rows])) < 2:
            raise ValueError(
                "The rows to train on, those with a positive weight that are not held out, have "
                "less than two classes."
            )
        weight = None if sample_weight is None else sample_weight[rows]
        inner_X, inner_y = _safe_indexing(X, rows), y[rows]
        plain = self._plain_model(inner_X, inner_y, weight)
        some = _safe_indexing(validation.X, np.arange(min(ROWS_TO_COMPARE, len(validation.y))))
        check_agreement(self._look(plain), plain, some)
        balancer = Balancer(inner_X, inner_y, weight, validation.X, gaps, self._balance_settings())

        def train(new_weight: np.ndarray, before: Any) -> Any:
            if self.warm_start:
                return fit_from(before, inner_X, inner_y, new_weight)
            return fit_weighted(self._unfrozen(), inner_X, inner_y, new_weight)

        result = run_rounds(
            balancer,
            plain,
            self._look,
            train if self.refit else None,
            resolve_damping(self.damping, self._look(plain).model),
            int(self.n_rounds) if self.refit else 1,
        )
        self._keep(result, balancer, rows, len(y))

    def _keep(self, result: RoundsResult, balancer: Balancer, rows: np.ndarray, n: int) -> None:
        """Set the attributes, with one row a row of X."""
        best = result.history[result.best]
        self.estimator_, self.history_ = result.model, result.history
        self.gap_names_ = balancer.gaps.names
        self.gap_ = result.history[0].achieved_gap
        self.predicted_gap_, self.achieved_gap_ = best.predicted_gap, best.achieved_gap
        self.rate_gap_ = best.rate_gap
        self.sample_weight_ = np.zeros(n)
        self.sample_weight_[rows] = result.weights.sample_weight
        self.influence_ = np.zeros((n, len(self.gap_names_)))
        self.influence_[rows] = result.first.influence
        changed = any(record.size > 0 for record in self.history_)
        if result.best == 0 and changed and self.refit:
            warnings.warn(
                f"No weights lowered the objective on the validation rows; the plain model stays, "
                f"with gaps {describe(self.gap_names_, self.gap_)}. Influence predicts badly here: "
                f"raise damping, train to convergence with an L2 penalty, or lower l2.",
                ConvergenceWarning,
                stacklevel=4,
            )

    # ------------------------------------------------------------ both stages

    def _unfrozen(self) -> Any:
        estimator = self._inner_estimator()
        return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator

    def _plain_model(self, X: Any, y: np.ndarray, sample_weight: Any) -> Any:
        estimator = self._inner_estimator()
        if isinstance(estimator, FrozenEstimator):
            if list(estimator.classes_) not in ([0, 1], list(self.classes_)):
                raise ValueError(
                    f"The frozen estimator was fitted on classes {list(estimator.classes_)}, but y "
                    f"has {list(self.classes_)}."
                )
            return estimator.estimator
        return fit_weighted(estimator, X, y, sample_weight)

    def _look(self, model: Any) -> TrainedModel:
        return trained_model(model, parameters=self.parameters)

    def _surrogate(self) -> Surrogate:
        return Surrogate(self.surrogate, self.temperature, self.n_draws, self.random_state)

    def _balance_settings(self) -> BalanceSettings:
        return BalanceSettings(
            self.l2,
            bool(self.nonnegative),
            {
                "solver": self.solver,
                "kind": self.curvature,
                "tol": self.solver_tol,
                "max_iter": self.solver_max_iter,
                "max_rows": self.max_rows,
                "random_state": self.random_state,
            },
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        estimator = self._unfrozen()
        check_differentiable(estimator)
        if self.refit:
            check_trainable(estimator, bool(self.warm_start))
        resolve_targets(self.targets)
        check_contrast(self.contrast)
        self._surrogate().check()
        dampings = resolve_damping(self.damping)
        self._balance_settings().check(dampings)
        if len(dampings) > 1 and not self.refit:
            raise ValueError(
                f"Without refit nothing tells which damping is best: give one, not "
                f"{self.damping!r}."
            )
        if not isinstance(self.n_rounds, Integral) or int(self.n_rounds) < 1:
            raise ValueError(f"n_rounds must be an integer >= 1, got {self.n_rounds!r}.")
        if self.validation_fraction is not None:
            check_fraction(
                "validation_fraction", self.validation_fraction, "the share of rows held out"
            )

    # -------------------------------------------------------------- predict

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels; the sensitive features are not needed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of `classes_`.
        """
        inner_X = self._model_input(X)
        predicted = self.estimator_.predict(inner_X)
        # A frozen estimator that stays knows its own labels; others know 0 and 1.
        return self.classes_[(predicted == self.estimator_.classes_[1]).astype(int)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of both classes.

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
