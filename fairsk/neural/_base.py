"""What every network of ours shares: data in and checked, the module, training, prediction."""

from __future__ import annotations

import copy
from abc import ABCMeta, abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from fairsk.base import SensitiveFeaturesMixin, check_rows
from fairsk.neural._checks import (
    check_layer_sizes,
    check_positive_integers,
    check_positive_numbers,
)
from fairsk.neural._persistence import arrays_as_tensors, tensors_as_arrays
from fairsk.utils import SensitiveFeatures, check_device, import_torch


@dataclass(frozen=True)
class TrainingRows:
    """Validated rows, in the order they were given; those of weight zero are gone.

    Attributes
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_tasks)
        Class codes, or standardised targets.
    weight : ndarray of shape (n_samples,) or None
    features : SensitiveFeatures or None
    trained : ndarray of int or None
        Rows that the task loss is trained on; None for all. The others are the fairness term's.
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None
    features: SensitiveFeatures | None
    trained: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> TrainingRows:
        return TrainingRows(
            self.X[rows],
            self.y[rows],
            None if self.weight is None else self.weight[rows],
            None if self.features is None else self.features.take(rows),
        )


class BaseFairNetwork(SensitiveFeaturesMixin, BaseEstimator, metaclass=ABCMeta):
    """A network trained by minibatches on a task loss and, beside it, a fairness term.

    A subclass writes `_make_term(torch, train, validation, seed)`, which returns a
    `fairsk.neural._training.Term` or None for plain training. It has the constructor parameters
    ``module``, ``hidden_layer_sizes``, ``max_epochs``, ``batch_size``, ``lr``, ``weight_decay``,
    ``early_stopping``, ``validation_fraction``, ``patience``, ``max_restarts``, ``device``,
    ``sensitive_columns``, ``drop_sensitive_columns``, ``verbose`` and ``random_state``.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained module, single precision.
    n_iter_ : int
        Epochs run in the last start.
    history_ : list of dict
        Of each epoch: the mean training loss and what the fairness term reports.
    loss_curve_ : list of float
        The losses of `history_`.
    n_restarts_ : int
        Starts given up because they diverged.
    best_epoch_ : int
        Epoch whose weights were kept, with early stopping; -1 without.
    device_ : str
    n_features_in_ : int
    """

    module: Any
    hidden_layer_sizes: Any
    max_epochs: Any
    batch_size: Any
    lr: Any
    optimizer: Any = "adam"
    weight_decay: Any
    early_stopping: Any
    validation_fraction: Any
    patience: Any
    max_restarts: Any
    device: str
    verbose: Any
    random_state: Any

    # ------------------------------------------------------------------ fit

    def fit(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Any:
        """Train the network so that its predictions are fair.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, dense or sparse. Standardise them first: networks learn badly otherwise.
        y : array-like of shape (n_samples,)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Series, DataFrame, list or array. Numbers stay continuous, everything else is a group.
            A row with a missing value trains the predictor and is left out of the fairness term.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If torch is not installed.
        ValueError, TypeError
            Before training starts, for inputs or parameters that cannot work.
        FloatingPointError
            If training diverged in every start.
        """
        torch = import_torch(type(self).__name__)
        self._check_parameters()
        inner_X, y, weight, features = self._validated_rows(X, y, sensitive_features, sample_weight)
        training = TrainingRows(inner_X, self._encode_target(y, weight), weight, features)
        if features is None:
            self._warn_without_sensitive_features()
        self.device_ = check_device(self.device)
        self._train(torch, training)
        return self

    def _validated_rows(
        self, X: Any, y: Any, sensitive_features: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, np.ndarray, np.ndarray | None, SensitiveFeatures | None]:
        """X for the network, the checked target, weights and sensitive features."""
        check_rows(X, y, sensitive_features)
        validate_data(self, X, skip_check_array=True, reset=reset)
        inner_X, features = self._split_sensitive(X, sensitive_features)
        inner_X = check_array(
            inner_X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_min_samples=2,
            estimator=self,
            input_name="X",
        )
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, inner_X, ensure_non_negative=True)
        y = self._check_target(y)
        if weight is not None and not weight.all():
            # Gone before anything is estimated, so that they leave no trace.
            rows = np.flatnonzero(weight)
            inner_X, y, weight = inner_X[rows], y[rows], weight[rows]
            features = None if features is None else features.take(rows)
        return inner_X, y, weight, features

    def _train(self, torch: Any, rows: TrainingRows) -> None:
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=3)
        build = self._module_builder(rows.X.shape[1])
        train, validation = self._split_rows(rows, int(seeds[0]))
        self._learn(torch, build, train, validation, seeds[1:], self._settings())
        if validation is not None:
            self._after_training(validation)

    def _module_builder(self, n_inputs: int) -> Any:
        """What makes the module to train, once a start; its outputs are checked."""
        from fairsk.neural import _networks, _training

        build = _networks.module_builder(
            self.module, n_inputs, self.hidden_layer_sizes, self._output_widths()[0]
        )
        with _training.private_rng(0):
            self._n_outputs = _networks.check_output_width(
                build(0), n_inputs, self._output_widths(), self._output_meaning()
            )
        return build

    def _learn(
        self,
        torch: Any,
        build: Any,
        train: TrainingRows,
        validation: TrainingRows | None,
        seeds: np.ndarray,
        settings: Any,
        optimizer_state: Any = None,
    ) -> Any:
        """Train, with the fairness term where there are sensitive features, and keep the result."""
        from fairsk.neural import _training

        term = None
        if train.features is not None:
            term = self._make_term(torch, train, validation, int(seeds[0]))
        result = _training.train(
            build,
            self._training_sample(torch, train),
            self._loss(torch),
            settings,
            seed=int(seeds[1]),
            validation=None if validation is None else self._sample(torch, validation),
            term=term,
            optimizer_state=optimizer_state,
        )
        self.module_ = result.module
        self.history_ = result.history
        self.loss_curve_ = [record["loss"] for record in result.history]
        self.n_iter_ = len(result.history)
        self.n_restarts_ = result.n_restarts
        self.best_epoch_ = result.best_epoch
        return result

    def _after_training(self, validation: TrainingRows) -> None:
        """What is decided on the rows held out, once the network is trained."""

    @abstractmethod
    def _make_term(
        self, torch: Any, train: TrainingRows, validation: TrainingRows | None, seed: int
    ) -> Any:
        """The fairness term of the sensitive features, or None."""

    @abstractmethod
    def _check_target(self, y: Any) -> np.ndarray:
        """The target as a validated array, one-dimensional but for several tasks."""

    @abstractmethod
    def _encode_target(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """The target as the loss takes it."""

    @abstractmethod
    def _output_widths(self) -> tuple[int, ...]:
        """Widths the module may have; the first is the default network's."""

    @abstractmethod
    def _output_meaning(self) -> str:
        """What the outputs stand for, for an error message."""

    @abstractmethod
    def _loss(self, torch: Any) -> Any:
        """From outputs and targets to the loss of each row."""

    def _task_losses(self, torch: Any) -> Any:
        """From outputs and targets to the loss of each row and task, of shape (n, n_tasks)."""
        loss = self._loss(torch)
        return lambda outputs, y: loss(outputs, y)[:, None]

    def _training_sample(self, torch: Any, rows: TrainingRows) -> Any:
        """The rows to train on, as tensors; here targets may be drawn afresh in every epoch."""
        return self._sample(torch, rows)

    def _sample(self, torch: Any, rows: TrainingRows) -> Any:
        from fairsk.neural import _training

        weight, trained = None, slice(None) if rows.trained is None else rows.trained
        if rows.weight is not None:
            scaled = rows.weight / rows.weight[trained].mean()
            weight = _training.as_tensor(scaled, torch.float32).to(self.device_)
        X = _training.Rows(rows.X, self.device_)
        chosen = None if rows.trained is None else torch.as_tensor(rows.trained).to(self.device_)
        return _training.Sample(X, self._targets(torch, rows), weight, chosen)

    def _targets(self, torch: Any, rows: TrainingRows) -> Any:
        """What the loss compares the outputs with, a tensor with a row a training row."""
        from fairsk.neural import _training

        is_code = rows.y.dtype.kind in "iu"
        y = _training.as_tensor(rows.y, torch.int64 if is_code else torch.float32)
        return y.to(self.device_)

    def _settings(self) -> Any:
        from fairsk.neural import _training

        return _training.Settings(
            max_epochs=int(self.max_epochs),
            batch_size=int(self.batch_size),
            lr=float(self.lr),
            optimizer=str(self.optimizer),
            weight_decay=float(self.weight_decay),
            early_stopping=bool(self.early_stopping),
            patience=int(self.patience),
            max_restarts=int(self.max_restarts),
            device=self.device_,
            verbose=int(self.verbose),
            description=type(self).__name__,
        )

    def _split_rows(
        self, rows: TrainingRows, seed: int
    ) -> tuple[TrainingRows, TrainingRows | None]:
        """The rows to train on, and those held out."""
        if not self._holds_out():
            return rows, None
        n_rows = len(rows.y)
        n_held_out = int(np.ceil(self.validation_fraction * n_rows))
        if not 0 < n_held_out < n_rows:
            raise ValueError(
                f"validation_fraction={self.validation_fraction!r} of {n_rows} rows leaves no row "
                f"to train on."
            )
        order = np.random.RandomState(seed).permutation(n_rows)
        return rows.take(np.sort(order[n_held_out:])), rows.take(np.sort(order[:n_held_out]))

    def _holds_out(self) -> bool:
        """Whether some rows are held out, to stop by or for what `_after_training` decides."""
        return bool(self.early_stopping)

    def _check_parameters(self) -> None:
        """Refuse bad parameters before any work; subclasses add their own."""
        check_positive_integers(self, "max_epochs", "batch_size", "patience")
        check_positive_numbers(self, "lr")
        if not isinstance(self.max_restarts, Integral) or int(self.max_restarts) < 0:
            raise ValueError(f"max_restarts must be an integer >= 0, got {self.max_restarts!r}.")
        if not isinstance(self.weight_decay, Real) or not 0 <= float(self.weight_decay) < np.inf:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay!r}.")
        fraction: Any = self.validation_fraction
        if not isinstance(fraction, Real) or not 0 < float(fraction) < 1:
            raise ValueError(
                f"validation_fraction is the share of rows held out, between 0 and 1, got "
                f"{self.validation_fraction!r}."
            )
        check_layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)

    # -------------------------------------------------------------- predict

    def _outputs(self, X: Any, module: Any = None) -> np.ndarray:
        """Outputs of the module or a part of it, in the precision of X; (n_samples, n_outputs)."""
        self._check_fitted(X)
        inner_X = self._split_at_predict(X, None)[0]
        inner_X = check_array(
            inner_X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            estimator=self,
            input_name="X",
        )
        return self._module_outputs(inner_X, module)

    def _module_outputs(self, inner_X: Any, module: Any = None) -> np.ndarray:
        """Outputs for rows that are validated, without columns that the network does not see."""
        torch = import_torch(type(self).__name__)
        from fairsk.neural import _training

        # Single precision depends on how many rows are predicted together; double does not show.
        module, dtype = self.module_ if module is None else module, torch.float32
        if inner_X.dtype == np.float64:
            module, dtype = copy.deepcopy(module).double(), torch.float64
        rows = _training.Rows(inner_X, self.device_, dtype)
        return _training.outputs_of(module, rows).cpu().numpy()

    # ---------------------------------------------------------- persistence

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, with arrays in place of tensors: pickle, joblib and skops save these."""
        return tensors_as_arrays(dict(super().__getstate__()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(arrays_as_tensors(dict(state)))
        if hasattr(self, "device_"):
            # A model from a machine with a GPU also predicts where there is none.
            self.device_ = check_device("auto" if self.device_ == "cuda" else "cpu")
            self.module_.to(self.device_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.non_deterministic = False
        return tags
