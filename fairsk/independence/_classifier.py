"""Probabilities of classes from any scikit-learn classifier."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from fairsk.independence._cells import MAX_CELLS, distinct_rows
from fairsk.independence._density import ConditionalDensity, TableConditional, as_generator
from fairsk.independence._gaussian import check_positive, check_width
from fairsk.independence._models import CellFrequencies, fit_weighted, quadratic_pipeline

# With fewer rows a cell than this, frequencies are noisier than a regression.
ROWS_PER_CELL = 20


class ClassifierDensity(ConditionalDensity):
    """Class probabilities of a discrete target, such as Y given A.

    Parameters
    ----------
    classifier : estimator with predict_proba, or None
        None takes the smoothed frequencies of the classes where the given rows have few distinct
        values (at most 256, and 20 rows each on average): nothing can be misspecified then.
        Elsewhere it is logistic regression on the given columns, their squares and products:
        likelihood-based, smooth and calibrated at any sample size, which trees are not. For a
        strongly nonlinear relation pass another one, calibrated, and look at `density_check`.
    min_probability : float, default=1e-6
        Smaller predicted probabilities are raised to it: a class that occurs must be possible, or
        no permutation could be drawn.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    classifier_ : estimator
        The fitted classifier.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(2, size=1000)
    >>> label = np.where(rng.random(1000) < 0.2 + 0.5 * group, "yes", "no")
    >>> density = ClassifierDensity().fit(group, label)
    >>> np.exp(density.condition([0, 1]).log_probabilities).round(1)
    array([[0.8, 0.2],
           [0.3, 0.7]])
    """

    discrete_target: ClassVar[bool] = True

    def __init__(self, classifier: Any = None, *, min_probability: float = 1e-6) -> None:
        self.classifier = classifier
        self.min_probability = min_probability

    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        check_positive(self.min_probability, "min_probability")
        if self.classifier is not None and not (
            is_classifier(self.classifier) and hasattr(self.classifier, "predict_proba")
        ):
            raise ValueError(
                f"classifier must have predict_proba, got {self.classifier!r}. Wrap it in "
                f"CalibratedClassifierCV, or leave it None."
            )
        self.classes_ = np.unique(target)
        if len(self.classes_) < 2:
            raise ValueError(f"The target has one class, {self.classes_.tolist()[0]!r}.")
        model = self.classifier
        if model is None:
            found = distinct_rows(given, min(MAX_CELLS, len(given) // ROWS_PER_CELL))
            if found is not None:
                model = CellFrequencies()
            else:
                model = quadratic_pipeline(LogisticRegression(max_iter=2000), given.shape[1])
        self.classifier_ = fit_weighted(model, given, target, sample_weight, "classifier")

    def condition(self, given: ArrayLike) -> TableConditional:
        """Fix the given side; see `ConditionalDensity.condition`."""
        check_is_fitted(self, "classifier_")
        matrix = check_width(self, given)
        found = distinct_rows(matrix, MAX_CELLS)
        # Predicting each distinct row once is faster, and gives equal rows equal probabilities to
        # the last bit, by which the sampler knows them.
        rows = matrix if found is None else matrix[found[0]]
        probability = np.clip(self.classifier_.predict_proba(rows), self.min_probability, None)
        log_probability = np.log(probability / probability.sum(axis=1, keepdims=True))
        return TableConditional(
            self.classes_, log_probability if found is None else log_probability[found[1]]
        )

    def sample(self, given: ArrayLike, random_state: Any = None) -> np.ndarray:
        """Draw one class for each row; see `ConditionalDensity.sample`."""
        cumulative = np.exp(self.condition(given).log_probabilities).cumsum(axis=1)
        uniform = as_generator(random_state).random(len(cumulative))
        # The last sum may round to less than the uniform number.
        return self.classes_[(uniform[:, None] > cumulative[:, :-1]).sum(axis=1)]
