"""A masked autoregressive flow: the density the FairICP paper uses, from zuko."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fairsk.independence._density import Conditional, as_given
from fairsk.independence._mixture_density import MixtureConditional
from fairsk.independence._neural_density import BaseNeuralDensity
from fairsk.utils import import_optional, import_torch, private_rng

TRANSFORMS = ("affine", "spline")


class _FlowConditional(Conditional):
    """A flow at n rows of the given side; the network runs for every density asked for."""

    def __init__(self, density: MaskedAutoregressiveFlow, given: np.ndarray) -> None:
        self._density = density
        self._given = density._scale_given(given)
        self._log_jacobian = float(np.log(density.target_scale_).sum())

    @property
    def n_rows(self) -> int:
        return len(self._given)

    def log_prob(self, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        torch = import_torch("MaskedAutoregressiveFlow")
        z = torch.as_tensor(self._given[rows], dtype=torch.float32)
        scaled = self._density._scale_target(np.asarray(target, dtype=float))
        with torch.no_grad():
            value = self._density.module_(z).log_prob(torch.as_tensor(scaled, dtype=torch.float32))
        return value.double().numpy() - self._log_jacobian


class MaskedAutoregressiveFlow(BaseNeuralDensity):
    r"""Density of a continuous target of any width by a masked autoregressive flow.

    A chain of invertible maps :math:`u = T_a(y)`, each of which scales and shifts every coordinate
    of y by a network of the coordinates before it and of a, turns the target into a normal one:
    :math:`\log q(y \mid a) = \log N(T_a(y); 0, I) + \log |\det \nabla T_a(y)|`.

    With ``transform="affine"`` and a one-dimensional target no coordinate comes before, so that
    the map is a line and the density **one normal** whose mean and width depend on a, whatever the
    number of transforms. ``transform="spline"`` has no such limit; `MixtureDensityNetwork` is
    faster than either.

    Parameters
    ----------
    n_transforms : int, default=5
    hidden_layer_sizes : sequence of int, default=(64, 64)
    transform : {"affine", "spline"}, default="affine"
        Affine maps, as in the paper, or monotone rational-quadratic splines.
    max_epochs, batch_size, lr, weight_decay : default=200, 128, 0.001, 0.0
        Adam's.
    validation_fraction, patience, verbose, random_state
        As in `MixtureDensityNetwork`.

    Attributes
    ----------
    module_ : torch.nn.Module
        zuko's flow.
    n_iter_, validation_curve_, n_features_in_, n_outputs_
        As in `MixtureDensityNetwork`.

    References
    ----------
    Papamakarios, Pavlakou and Murray (2017), Masked autoregressive flow for density estimation.
    FairICP, section 2.3 and appendix E.2 (five MADEs of two layers of 64).

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.independence import MaskedAutoregressiveFlow
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(300, 1))
    >>> y = np.column_stack([a[:, 0], -a[:, 0]]) + 0.5 * rng.normal(size=(300, 2))
    >>> flow = MaskedAutoregressiveFlow(2, (16,), lr=0.01, random_state=0).fit(a, y)
    >>> log_prob = flow.log_prob([[1.0], [1.0]], [[1.0, -1.0], [-1.0, 1.0]])
    >>> bool(log_prob[0] > log_prob[1] + 4)
    True
    """

    def __init__(
        self,
        n_transforms: int = 5,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        *,
        transform: str = "affine",
        max_epochs: int = 200,
        batch_size: int = 128,
        lr: float = 0.001,
        weight_decay: float = 0.0,
        validation_fraction: float = 0.15,
        patience: int = 15,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_transforms = n_transforms
        self.hidden_layer_sizes = hidden_layer_sizes
        self.transform = transform
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.verbose = verbose
        self.random_state = random_state

    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        if self.transform not in TRANSFORMS:
            raise ValueError(
                f"transform must be one of {list(TRANSFORMS)}, got {self.transform!r}."
            )
        if not isinstance(self.n_transforms, Integral) or self.n_transforms < 1:
            raise ValueError(f"n_transforms must be an integer >= 1, got {self.n_transforms!r}.")
        super()._fit(given, target, sample_weight)

    def _build(self, torch: Any, n_features: int, n_outputs: int) -> Any:
        flows = import_optional("zuko.flows", extra="neural", purpose=type(self).__name__)
        flow = flows.MAF if self.transform == "affine" else flows.NSF
        return flow(
            features=n_outputs,
            context=n_features,
            transforms=int(self.n_transforms),
            hidden_features=tuple(int(size) for size in self.hidden_layer_sizes),
        )

    def _negative_log_prob(self, module: Any, given: Any, target: Any) -> Any:
        return -module(given).log_prob(target)

    def condition(self, given: ArrayLike) -> Conditional:
        check_is_fitted(self, "module_")
        matrix = as_given(given)
        if self.transform == "affine" and self.n_outputs_ == 1:
            return self._as_normal(matrix)
        return _FlowConditional(self, matrix)

    def _as_normal(self, given: np.ndarray) -> MixtureConditional:
        """The chain of lines as one line: the network then runs once a row."""
        torch = import_torch(type(self).__name__)
        z = torch.as_tensor(self._scale_given(given), dtype=torch.float32)
        with torch.no_grad():
            inverse = self.module_(z).transform.inv
            at_zero, at_one = (
                inverse(torch.full((len(z), 1), value)).double().numpy() for value in (0.0, 1.0)
            )
        mean = self.target_mean_ + self.target_scale_ * at_zero
        scale = self.target_scale_ * np.abs(at_one - at_zero)
        return MixtureConditional(np.zeros_like(mean), mean, scale)

    def sample(self, given: ArrayLike, random_state: Any = None) -> np.ndarray:
        check_is_fitted(self, "module_")
        torch = import_torch(type(self).__name__)
        z = torch.as_tensor(self._scale_given(as_given(given)), dtype=torch.float32)
        with private_rng(_seed_of(random_state)), torch.no_grad():
            drawn = self.module_(z).sample().double().numpy()
        drawn = self.target_mean_ + self.target_scale_ * drawn
        return drawn[:, 0] if self.n_outputs_ == 1 else drawn


def _seed_of(random_state: Any) -> int:
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    return int(check_random_state(random_state).randint(2**31 - 1))
