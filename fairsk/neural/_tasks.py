"""What a network predicts: a number, or a class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from fairsk.base import check_label_flips, make_label_flips
from fairsk.neural._base import BaseFairNetwork, TrainingRows


class FairNetworkRegressor(RegressorMixin, BaseFairNetwork):
    """A network with one output, trained on the squared error of the standardised target."""

    def _check_target(self, y: Any) -> np.ndarray:
        y = column_or_1d(_require(y, self), warn=True).astype(np.float64)
        assert_all_finite(y, input_name="y", estimator_name=type(self).__name__)
        return y

    def _encode_target(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        self.target_mean_ = float(np.average(y, weights=weight))
        spread = np.average((y - self.target_mean_) ** 2, weights=weight)
        self.target_scale_ = float(np.sqrt(spread))
        if self.target_scale_ <= 1e-12 * max(1.0, abs(self.target_mean_)):
            raise ValueError(
                f"y has one value only ({y[0]:g}). A regression needs a target that varies."
            )
        return (y - self.target_mean_) / self.target_scale_

    def _output_widths(self) -> tuple[int, ...]:
        return (1,)

    def _output_meaning(self) -> str:
        return "one prediction a row"

    def _loss(self, torch: Any) -> Any:
        def squared_error(outputs: Any, y: Any) -> Any:
            return (outputs[:, 0] - y).square()

        return squared_error

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets; the sensitive features are not needed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            float32 for X in float32, else float64.
        """
        outputs = self._outputs(X)[:, 0]
        return outputs * outputs.dtype.type(self.target_scale_) + outputs.dtype.type(
            self.target_mean_
        )

    def score(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> float:
        """Coefficient of determination R^2 of `predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like, optional
            Taken because a pipeline may route it; not used.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        return float(r2_score(y, self.predict(X), sample_weight=sample_weight))


class FairNetworkClassifier(ClassifierMixin, BaseFairNetwork):
    """A network with one logit for two classes, or one logit a class, trained on cross-entropy.

    A subclass with the constructor parameters ``label_flip`` and ``label_flip_to`` trains on labels
    of which a share of each group's is flipped, drawn afresh in every epoch.
    """

    label_flip: Any = None
    label_flip_to: str = "any"

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.label_flip is not None:
            check_label_flips(self.label_flip, None, self.label_flip_to, name="label_flip")

    def _training_sample(self, torch: Any, rows: TrainingRows) -> Any:
        sample = super()._training_sample(torch, rows)
        if self.label_flip is None or rows.features is None:
            return sample
        # Binary tasks side by side, or the codes of one.
        columns = rows.y.reshape(len(rows.y), -1).astype(np.intp).T
        n_classes = 2 if rows.y.ndim > 1 else len(self.classes_)
        settings = {"p": self.label_flip, "to": self.label_flip_to, "name": "label_flip"}
        flips = [make_label_flips(y, n_classes, rows.features, **settings) for y in columns]
        if not any(each.shares.any() for each in flips):
            return sample

        def redraw(seed: int, epoch: int) -> Any:
            rng = np.random.RandomState([seed, epoch])
            drawn = np.stack([each.draw(rng)[0] for each in flips], axis=1)
            y = drawn.reshape(rows.y.shape).astype(rows.y.dtype)
            return self._targets(torch, replace(rows, y=y))

        return replace(sample, redraw=redraw)

    def _check_target(self, y: Any) -> np.ndarray:
        y = column_or_1d(_require(y, self), warn=True)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y", estimator_name=type(self).__name__)
        check_classification_targets(y)
        return y

    def _encode_target(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of two classes, but y has one class only: "
                f"{self.classes_[0]}."
            )
        return codes

    def _output_widths(self) -> tuple[int, ...]:
        n_classes = len(self.classes_)
        return (1, 2) if n_classes == 2 else (n_classes,)

    def _output_meaning(self) -> str:
        if len(self.classes_) == 2:
            return "the log-odds of the second class, or a logit for each of the 2 classes"
        return f"a logit for each of the {len(self.classes_)} classes"

    def _loss(self, torch: Any) -> Any:
        functional = torch.nn.functional

        def cross_entropy(outputs: Any, y: Any) -> Any:
            if outputs.shape[1] == 1:
                return functional.binary_cross_entropy_with_logits(
                    outputs[:, 0], y.to(outputs.dtype), reduction="none"
                )
            return functional.cross_entropy(outputs, y, reduction="none")

        return cross_entropy

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of the second class, or a logit a class for more than two.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return outputs[:, 0]
        return outputs[:, 1] - outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            float32 for X in float32, else float64.
        """
        scores = self.decision_function(X)
        if scores.ndim == 2:
            return softmax(scores, axis=1)
        # Each from its own sign: 1 - p loses the digits of a small probability.
        return np.column_stack([expit(-scores), expit(scores)])

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
        scores = self.decision_function(X)
        codes = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)
        return self.classes_[codes]

    def score(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> float:
        """Accuracy of `predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like, optional
            Taken because a pipeline may route it; not used.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))


def _require(y: Any, estimator: Any) -> Any:
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    return y
