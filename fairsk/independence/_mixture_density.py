"""A mixture of normals whose weights, means and widths are a network of the given side."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from sklearn.utils.validation import check_is_fitted

from fairsk.independence._density import LOG_2_PI, Conditional, as_generator, as_given
from fairsk.independence._neural_density import BaseNeuralDensity
from fairsk.utils import import_torch


class MixtureConditional(Conditional):
    """Mixtures of normals, one a row.

    Parameters
    ----------
    log_weight, mean, scale : ndarray of shape (n_rows, n_components)
        Log-weights (normalised), means and standard deviations.
    """

    def __init__(self, log_weight: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> None:
        self.log_weight, self.mean, self.scale = log_weight, mean, scale
        # One gather a call instead of three: (log of the factor, mean, -1 / (2 scale^2)), with the
        # components in rows, along which NumPy adds fast (and take, unlike indexing, keeps them
        # so).
        factor = log_weight - np.log(scale) - LOG_2_PI / 2
        self._terms = np.concatenate([factor, mean, -0.5 / scale**2], axis=1).T.copy()

    @property
    def n_rows(self) -> int:
        return len(self.mean)

    def log_prob(self, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return self._log_prob(np.asarray(target, dtype=float), self._terms.take(rows, axis=1))

    def take(self, rows: np.ndarray) -> MixtureConditional:
        taken = copy(self)
        taken.log_weight, taken.mean = self.log_weight[rows], self.mean[rows]
        taken.scale, taken._terms = self.scale[rows], self._terms.take(rows, axis=1)
        return taken

    def _log_prob(self, target: np.ndarray, terms: np.ndarray) -> np.ndarray:
        k = self.mean.shape[1]
        exponent = target - terms[k : 2 * k]
        exponent *= exponent
        exponent *= terms[2 * k :]
        exponent += terms[:k]
        top = exponent.max(axis=0)
        exponent -= top
        return top + np.log(np.exp(exponent, out=exponent).sum(axis=0))

    def log_odds(
        self,
        target: np.ndarray,
        position_i: np.ndarray,
        position_j: np.ndarray,
        index_i: np.ndarray,
        index_j: np.ndarray,
    ) -> np.ndarray:
        # Both densities of a position in one pass: in small samples calls cost more than sums.
        target = np.asarray(target, dtype=float)
        y_i, y_j = target[index_i], target[index_j]
        terms = self._terms.take(np.concatenate([position_i, position_j]), axis=1)
        crossed = self._log_prob(np.concatenate([y_j, y_i]), terms)
        gain = crossed - self._log_prob(np.concatenate([y_i, y_j]), terms)
        return gain[: len(y_i)] + gain[len(y_i) :]


class MixtureDensityNetwork(BaseNeuralDensity):
    r"""Density of a one-dimensional continuous target as a mixture of normals.

    .. math:: q(y \mid a) = \sum_{k=1}^{K} w_k(a)\, N(y;\, m_k(a), s_k(a)^2),

    where one network of a gives the 3 K parameters. The network sees a alone, so that a sample of
    n rows takes one forward pass of n rows, and each further density is arithmetic on K numbers:
    a permutation sampler needs nothing else. A single normal cannot follow a skewed or bounded
    target, such as a rate; a mixture can, whereas a masked autoregressive flow of a
    one-dimensional target is one normal again.

    Training stops when the likelihood of held-out rows stops rising, and the best weights stay.

    Parameters
    ----------
    n_components : int, default=4
    hidden_layer_sizes : sequence of int, default=(64,)
        Widths of the layers, with tanh between them.
    min_scale : float, default=0.01
        Smallest width of a component, in standard deviations of the target. Without it, a
        component shrinks onto a repeated value and its likelihood has no bound.
    max_epochs, batch_size, lr, weight_decay : default=200, 128, 0.005, 0.0
        Adam's.
    validation_fraction : float, default=0.15
        Share of the rows held out to stop by; where this is fewer than five rows, all rows train.
    patience : int, default=15
        Epochs without a better held-out likelihood after which training stops.
    verbose : int, default=0
        1 shows a progress bar, 2 leaves it there.
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    module_ : torch.nn.Module
    n_iter_ : int
        Epochs run.
    validation_curve_ : list of float
        Held-out negative log-likelihood after each epoch, in nats a row.
    n_features_in_, n_outputs_ : int

    References
    ----------
    Bishop (1994), Mixture density networks. For the use: FairICP, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.independence import MixtureDensityNetwork
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(500, 1))
    >>> y = np.where(rng.random(500) < 0.5, a[:, 0], -a[:, 0]) + 0.2 * rng.normal(size=500)
    >>> density = MixtureDensityNetwork(random_state=0).fit(a, y)
    >>> log_prob = density.log_prob([[2.0], [2.0]], [2.0, 0.0])
    >>> bool(log_prob[0] > log_prob[1] + 2)  # two branches at a = 2, and nothing between them
    True
    """

    def __init__(
        self,
        n_components: int = 4,
        hidden_layer_sizes: Sequence[int] = (64,),
        *,
        min_scale: float = 0.01,
        max_epochs: int = 200,
        batch_size: int = 128,
        lr: float = 0.005,
        weight_decay: float = 0.0,
        validation_fraction: float = 0.15,
        patience: int = 15,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.min_scale = min_scale
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.verbose = verbose
        self.random_state = random_state

    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        if not isinstance(self.n_components, Integral) or self.n_components < 1:
            raise ValueError(f"n_components must be an integer >= 1, got {self.n_components!r}.")
        if not isinstance(self.min_scale, Real) or not 0 < self.min_scale < 1:
            raise ValueError(f"min_scale must be between 0 and 1, got {self.min_scale!r}.")
        if target.ndim > 1:
            raise ValueError(
                f"MixtureDensityNetwork takes a one-dimensional target, got {target.shape[1]} "
                f"columns. Use MaskedAutoregressiveFlow."
            )
        super()._fit(given, target, sample_weight)

    def _build(self, torch: Any, n_features: int, n_outputs: int) -> Any:
        layers: list = []
        for width in self.hidden_layer_sizes:
            layers += [torch.nn.Linear(n_features, int(width)), torch.nn.Tanh()]
            n_features = int(width)
        k = int(self.n_components)
        layers.append(torch.nn.Linear(n_features, 3 * k))
        with torch.no_grad():
            # The components start apart, on the quantiles of a normal, so that they differ.
            start = ndtri((np.arange(k) + 0.5) / k)
            layers[-1].bias[k : 2 * k] = torch.as_tensor(start, dtype=torch.float32)
        return torch.nn.Sequential(*layers)

    def _parameters(self, torch: Any, module: Any, given: Any) -> tuple[Any, Any, Any]:
        """Log-weights, means and widths of the components, in standardised units."""
        logits, mean, width = module(given).chunk(3, dim=1)
        scale = torch.nn.functional.softplus(width) + self.min_scale
        return torch.log_softmax(logits, dim=1), mean, scale

    def _negative_log_prob(self, module: Any, given: Any, target: Any) -> Any:
        torch = import_torch(type(self).__name__)
        log_weight, mean, scale = self._parameters(torch, module, given)
        exponent = log_weight - scale.log() - 0.5 * ((target - mean) / scale) ** 2
        return LOG_2_PI / 2 - torch.logsumexp(exponent, dim=1)

    def condition(self, given: ArrayLike) -> MixtureConditional:
        check_is_fitted(self, "module_")
        torch = import_torch(type(self).__name__)
        matrix = torch.as_tensor(self._scale_given(as_given(given)), dtype=torch.float32)
        with torch.no_grad():
            parts = self._parameters(torch, self.module_, matrix)
        log_weight, mean, scale = (part.double().numpy() for part in parts)
        mean = self.target_mean_ + self.target_scale_ * mean
        return MixtureConditional(log_weight, mean, self.target_scale_ * scale)

    def sample(self, given: ArrayLike, random_state: Any = None) -> np.ndarray:
        rng = as_generator(random_state)
        mixture = self.condition(given)
        rows = np.arange(mixture.n_rows)
        # Gumbel's trick: the largest of log-weight plus noise has the weights' distribution.
        component = (mixture.log_weight + rng.gumbel(size=mixture.mean.shape)).argmax(axis=1)
        noise = rng.normal(size=mixture.n_rows)
        return mixture.mean[rows, component] + mixture.scale[rows, component] * noise
