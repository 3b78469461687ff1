"""From a trained estimator to its scores, its objective, and what its weights mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_class_weight

from fairsk.curvature._linear import LinearScoreModel
from fairsk.curvature._objective import TrainingObjective
from fairsk.curvature._score_model import ScoreModel
from fairsk.utils import import_torch

DIFFERENTIABLE = (
    "LogisticRegression, LogisticRegressionCV or SGDClassifier(loss='log_loss') with an L2 penalty "
    "or none, MLPClassifier, a network of fairsk, a skorch classifier, a torch.nn.Module, or a "
    "pipeline that ends in one of them"
)
# Probabilities of the estimator and of what was understood of it may differ by single precision.
AGREEMENT = 1e-3
Penalty = Callable[[float, int], np.ndarray]


@dataclass(frozen=True)
class TrainedModel:
    """A trained binary classifier, ready for questions of influence.

    Attributes
    ----------
    model : ScoreModel
    prepare : callable
        From X as the estimator takes it to X as the model does.
    penalty : callable
        From the total weight and the number of rows to the ridge of each parameter, on the scale
        of the mean loss.
    class_weight : dict, "balanced" or None
        Which multiplies the rows' weights in training.
    classes : ndarray of shape (2,) or None
    scale_free : bool
        Whether training divides the weights by their sum.
    weighs_balance : bool
        Whether "balanced" class weights count rows by their weights.
    """

    model: ScoreModel
    prepare: Callable[[Any], Any]
    penalty: Penalty
    class_weight: Any = None
    classes: np.ndarray | None = None
    scale_free: bool = False
    weighs_balance: bool = True

    def scores(self, X: Any) -> np.ndarray:
        """Log-odds of class 1, shape (n_samples,)."""
        return self.model.scores(self.prepare(X))

    def objective(
        self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> TrainingObjective:
        """The objective on training rows: y is 0 or 1, weights as given to ``fit``."""
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        weight = weight * self.row_factor(y, weight)
        ridge = self.penalty(float(weight.sum()), len(y))
        prepared = self.prepare(X)
        return TrainingObjective(
            self.model, prepared, y, weight / weight.sum(), ridge, self.scale_free
        )

    def row_factor(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """What class weights multiply each row's weight by, for y of 0 and 1."""
        if self.class_weight is None:
            return np.ones(len(y))
        given: dict[str, Any] = {}
        if self.weighs_balance and "sample_weight" in signature(compute_class_weight).parameters:
            given["sample_weight"] = weight
        labels = np.array([0, 1]) if self.classes is None else self.classes
        factors = compute_class_weight(self.class_weight, classes=labels, y=labels[y], **given)
        return factors[y]


def trained_model(
    estimator: Any, *, parameters: str | Sequence[str] = "all", l2: float | None = None
) -> TrainedModel:
    """Look at a trained classifier, or say which ones can be looked at.

    Parameters
    ----------
    estimator : estimator or torch.nn.Module
        Trained on two classes.
    parameters : {"all", "last"} or sequence of str, default="all"
        Of a network: which parameters influence acts on; the others are taken as fixed.
    l2 : float, optional
        L2 penalty (weight decay) of a network's training, on the scale of the mean loss; read
        from the estimator where it says.

    Returns
    -------
    TrainedModel

    Raises
    ------
    TypeError
        If the estimator is not differentiable; the message names those that are.
    ValueError
        If its penalty is not smooth, or it has more than two classes.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 0, 1])
    >>> trained = trained_model(LogisticRegression(C=0.25).fit(X, y))
    >>> objective = trained.objective(X, y)
    >>> objective.ridge  # 1 / (C n), and none on the intercept
    array([1., 0.])
    >>> bool(np.abs(objective.gradient()).max() < 1e-4)  # at its minimum
    True
    """
    if isinstance(estimator, Pipeline):
        return _of_pipeline(estimator, parameters, l2)
    classes = getattr(estimator, "classes_", None)
    if classes is not None and len(classes) != 2:
        raise ValueError(f"Influence needs a binary classifier; this one has classes {classes}.")
    if isinstance(estimator, LogisticRegression | LogisticRegressionCV | SGDClassifier):
        return _of_linear(estimator)
    if isinstance(estimator, MLPClassifier):
        return _of_mlp(estimator, parameters)
    module = getattr(estimator, "module_", estimator)
    # Asked for by name: nothing here may import torch for an estimator that is no network.
    if any(base.__module__.startswith("torch.nn") for base in type(module).__mro__):
        return _of_module(estimator, module, parameters, l2)
    raise _not_differentiable(estimator)


def check_agreement(trained: TrainedModel, estimator: Any, X: Any) -> None:
    """Refuse a model whose probabilities are not those of its estimator.

    Raises
    ------
    ValueError
    """
    expected = np.asarray(estimator.predict_proba(X))[:, 1]
    found = expit(trained.scores(X))
    difference = float(np.abs(expected - found).max())
    if not difference <= AGREEMENT:
        raise ValueError(
            f"{type(estimator).__name__}.predict_proba differs by {difference:.2g} from what its "
            f"parameters say. Influence needs the probabilities themselves, without calibration "
            f"or another transformation on top."
        )


def _of_pipeline(pipeline: Pipeline, parameters: Any, l2: float | None) -> TrainedModel:
    last = trained_model(pipeline[-1], parameters=parameters, l2=l2)
    before = pipeline[:-1]

    def prepare(X: Any) -> Any:
        return last.prepare(before.transform(X) if len(before) else X)

    return replace(last, prepare=prepare)


def _numeric(X: Any) -> Any:
    return check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32])


# ------------------------------------------------------------------- linear


def _of_linear(estimator: Any) -> TrainedModel:
    _check_smooth(estimator)
    model = LinearScoreModel(
        estimator.coef_, np.ravel(estimator.intercept_)[0], fit_intercept=estimator.fit_intercept
    )
    return TrainedModel(
        model,
        _numeric,
        _linear_penalty(estimator),
        estimator.class_weight,
        np.asarray(estimator.classes_),
        weighs_balance=not isinstance(estimator, SGDClassifier),
    )


def _check_smooth(estimator: Any) -> None:
    """Refuse an L1 part in the penalty, and losses without probabilities."""
    if isinstance(estimator, SGDClassifier):
        if estimator.loss != "log_loss":
            raise ValueError(
                f"SGDClassifier has loss={estimator.loss!r}; influence needs loss='log_loss'."
            )
        has_l1 = estimator.penalty in ("l1", "elasticnet")
    else:
        penalty = getattr(estimator, "penalty", "deprecated")
        ratio = np.ravel(_first(getattr(estimator, "l1_ratio_", None), estimator, "l1_ratio"))[0]
        has_l1 = penalty == "l1" or (penalty in ("elasticnet", "deprecated") and bool(ratio))
    if has_l1:
        raise ValueError(
            f"{type(estimator).__name__} has an L1 penalty, which is not differentiable. Influence "
            f"works for {DIFFERENTIABLE}."
        )


def _first(value: Any, estimator: Any, name: str) -> Any:
    return getattr(estimator, name, None) if value is None else value


def _linear_penalty(estimator: Any) -> Penalty:
    n_features = np.size(estimator.coef_)

    def ridge(total: float, n_rows: int) -> np.ndarray:
        on_intercept = 0.0
        if isinstance(estimator, SGDClassifier):
            # The weights multiply the loss of a step, and every step shrinks by alpha.
            on_coef = 0.0 if estimator.penalty is None else estimator.alpha * n_rows / total
        else:
            C = float(np.ravel(getattr(estimator, "C_", getattr(estimator, "C", 1.0)))[0])
            is_plain = getattr(estimator, "penalty", "deprecated") is None or np.isinf(C)
            on_coef = 0.0 if is_plain else 1 / (C * total)
            if estimator.solver == "liblinear":
                # liblinear's intercept is the weight of a constant feature, and penalised so.
                on_intercept = on_coef / estimator.intercept_scaling**2
        values = np.full(n_features, on_coef)
        return np.append(values, on_intercept) if estimator.fit_intercept else values

    return ridge


# ----------------------------------------------------------------- networks


def _of_mlp(estimator: MLPClassifier, parameters: Any) -> TrainedModel:
    import_torch("The influence of an MLPClassifier")
    from fairsk.curvature import _networks, _torch_scores

    module = _networks.module_of_mlp(estimator)
    model = _torch_scores.TorchScoreModel(module, parameters=parameters)
    is_weight = model.mark("weight")
    return TrainedModel(
        model,
        _numeric,
        lambda total, n_rows: is_weight * estimator.alpha / total,
        classes=np.asarray(estimator.classes_),
    )


def _of_module(estimator: Any, module: Any, parameters: Any, l2: float | None) -> TrainedModel:
    import_torch("The influence of a network")
    from fairsk.curvature import _networks, _torch_scores

    outputs = _networks.outputs_of(estimator)
    model = _torch_scores.TorchScoreModel(module, parameters=parameters, outputs=outputs)
    decay = _networks.weight_decay_of(estimator) if l2 is None else float(l2)
    ridge = np.full(model.n_parameters, decay)
    classes = getattr(estimator, "classes_", None)
    prepare = (lambda X: X) if estimator is module or _networks.is_skorch(estimator) else _numeric
    return TrainedModel(
        model,
        prepare,
        lambda total, n_rows: ridge,
        classes=None if classes is None else np.asarray(classes),
        # fairsk's networks give the weights mean one before training.
        scale_free=estimator is not module and not _networks.is_skorch(estimator),
    )


def check_differentiable(estimator: Any) -> None:
    """Refuse, before it is trained, an estimator that influence cannot look at.

    Raises
    ------
    TypeError
        If it is not differentiable; the message names those that are.
    ValueError
        If its penalty is not smooth.
    """
    if isinstance(estimator, Pipeline):
        return check_differentiable(estimator[-1])
    if isinstance(estimator, LogisticRegression | LogisticRegressionCV | SGDClassifier):
        return _check_smooth(estimator)
    if isinstance(estimator, MLPClassifier):
        import_torch("The influence of an MLPClassifier")
    elif not hasattr(estimator, "module"):
        raise _not_differentiable(estimator)
    return None


def _not_differentiable(estimator: Any) -> TypeError:
    return TypeError(
        f"{type(estimator).__name__} is not differentiable, or not in a way fairsk knows. "
        f"Influence works for {DIFFERENTIABLE}."
    )
