"""What the densities that are neural networks share: scaling, the held-out part, training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from fairsk.independence._density import ConditionalDensity
from fairsk.utils import import_torch, minimise_in_batches, private_rng

# With fewer rows held out than this, their likelihood is noise: all rows train and validate.
MIN_HELD_OUT = 5


class BaseNeuralDensity(ConditionalDensity):
    """Density of a continuous target by a network, trained by its held-out likelihood.

    A subclass writes `_build`, which returns a module, and `_negative_log_prob`, the loss a row in
    standardised units. It has the constructor parameters ``hidden_layer_sizes``, ``max_epochs``,
    ``batch_size``, ``lr``, ``weight_decay``, ``validation_fraction``, ``patience``, ``verbose`` and
    ``random_state``.

    Attributes
    ----------
    module_ : torch.nn.Module
    n_outputs_ : int
    n_iter_ : int
        Epochs run.
    validation_curve_ : list of float
        Held-out negative log-likelihood after each epoch, in nats a row, of the target in its own
        units.
    """

    hidden_layer_sizes: Any
    max_epochs: Any
    batch_size: Any
    lr: Any
    weight_decay: Any
    validation_fraction: Any
    patience: Any
    verbose: int
    random_state: Any

    @abstractmethod
    def _build(self, torch: Any, n_features: int, n_outputs: int) -> Any:
        """A fresh module."""

    @abstractmethod
    def _negative_log_prob(self, module: Any, given: Any, target: Any) -> Any:
        """Loss of each row, of tensors in standardised units."""

    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        check_training(self)
        torch = import_torch(f"{type(self).__name__}")
        target = _as_continuous(target, type(self).__name__)
        weight = np.ones(len(target)) if sample_weight is None else sample_weight
        self._set_scales(given, target, weight)
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=3)
        train, held_out = _split(weight, self.validation_fraction, int(seeds[0]))
        z, t, w = (
            torch.as_tensor(values, dtype=torch.float32)
            for values in (self._scale_given(given), self._scale_target(target), weight)
        )
        with private_rng(int(seeds[1])):
            module = self._build(torch, z.shape[1], t.shape[1])
            loss = _mean_loss(self._negative_log_prob, module, z[train], t[train], w[train])
            validate = _mean_loss(
                self._negative_log_prob, module, z[held_out], t[held_out], w[held_out]
            )
            curve = minimise_in_batches(
                module,
                loss,
                len(train),
                lambda: validate(slice(None)),
                lr=self.lr,
                weight_decay=self.weight_decay,
                batch_size=int(self.batch_size),
                max_epochs=int(self.max_epochs),
                patience=int(self.patience),
                seed=int(seeds[2]),
                verbose=self.verbose,
                description=type(self).__name__,
            )
        self.module_ = module.eval()
        self.n_iter_ = len(curve)
        log_jacobian = float(np.log(self.target_scale_).sum())
        self.validation_curve_ = [value + log_jacobian for value in curve]

    def _set_scales(self, given: np.ndarray, target: np.ndarray, weight: np.ndarray) -> None:
        self.given_mean_, self.given_scale_ = _moments(given, weight)
        self.given_scale_[self.given_scale_ == 0] = 1.0
        self.target_mean_, self.target_scale_ = _moments(target, weight)
        self.n_outputs_ = target.shape[1]
        if (self.target_scale_ == 0).any():
            raise ValueError(
                "The target is constant: it has no density. Give a target with at least two values."
            )

    def _scale_given(self, given: np.ndarray) -> np.ndarray:
        return (given - self.given_mean_) / self.given_scale_

    def _scale_target(self, target: np.ndarray) -> np.ndarray:
        target = target[:, None] if target.ndim == 1 else target
        return (target - self.target_mean_) / self.target_scale_


def check_training(estimator: Any) -> None:
    """Refuse training parameters out of range, before any work.

    Raises
    ------
    ValueError
    """
    for name in ("max_epochs", "batch_size", "patience"):
        value: Any = getattr(estimator, name)
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be an integer >= 1, got {value!r}.")
    if not isinstance(estimator.lr, Real) or not 0 < float(estimator.lr) < np.inf:
        raise ValueError(f"lr must be a positive number, got {estimator.lr!r}.")
    if not isinstance(estimator.weight_decay, Real) or float(estimator.weight_decay) < 0:
        raise ValueError(f"weight_decay must be at least 0, got {estimator.weight_decay!r}.")
    if not 0 < estimator.validation_fraction < 1:
        raise ValueError(
            f"validation_fraction is the share of rows held out, between 0 and 1, got "
            f"{estimator.validation_fraction!r}."
        )
    sizes: Any = estimator.hidden_layer_sizes
    if not all(isinstance(size, Integral) and int(size) >= 1 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be integers >= 1, got {sizes!r}.")


def _as_continuous(target: np.ndarray, name: str) -> np.ndarray:
    if target.dtype.kind not in "iufb":
        raise ValueError(
            f"{name} is a density of numbers, but the target has dtype {target.dtype}. Use a "
            f"density of classes for labels."
        )
    target = target.astype(float)
    return target[:, None] if target.ndim == 1 else target


def _moments(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of each column; zero for a constant column."""
    mean = np.average(values, axis=0, weights=weight)
    scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))
    # What rounding leaves of a constant column is no scale.
    scale[scale <= 1e-12 * np.maximum(1.0, np.abs(mean))] = 0.0
    return mean, scale


def _split(weight: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to validate on; rows of weight zero are in neither."""
    rows = np.random.RandomState(seed).permutation(np.flatnonzero(weight > 0))
    n_held_out = int(fraction * len(rows))
    if n_held_out < MIN_HELD_OUT:
        return rows, rows
    return rows[n_held_out:], rows[:n_held_out]


def _mean_loss(per_row: Callable, module: Any, given: Any, target: Any, weight: Any) -> Callable:
    """Weighted mean loss of some rows, with weights of mean one over all of them."""
    weight = weight / weight.mean()

    def mean_loss(rows: Any) -> Any:
        return (per_row(module, given[rows], target[rows]) * weight[rows]).mean()

    return mean_loss
