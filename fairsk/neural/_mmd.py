r"""Maximum mean discrepancy of one-dimensional samples, many at once.

With predictions p_i in [0, 1] and signed weights w_i, positive on one side and negative on the
other, each side summing to one, the squared discrepancy (V-statistic) is the quadratic form
:math:`w^\top K w` with :math:`K_{ij} = k(p_i - p_j)`. Each kernel gives the form and its gradient
in p together, for a batch of samples, without the matrix K where that is faster.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch

# Below this the features or exponents of the fast sums grow out of bounds, and differences of
# probabilities mean nothing.
MIN_LENGTH = 1e-3
# Up to this many entries in all, matrices are as fast as anything.
DENSE_ENTRIES = 16_384
# What the Gaussian's series may miss in single precision, a seventh of what is promised; for the
# usual length this makes 16 terms, a power of two.
PRECISION = 1.5e-6
# Numbers that stay in a core's cache: 2 MB of single precision.
CACHED = 524_288


@dataclass(frozen=True)
class Kernel(ABC):
    """A kernel k(d) of the distance between two probabilities; ``length`` is its width."""

    length: float = 0.1

    @abstractmethod
    def form(self, p: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The forms w'Kw, of shape (n_forms,), and their gradients in p.

        Parameters
        ----------
        p, w : tensor of shape (n_forms, n)
            Probabilities; weights.
        """

    @abstractmethod
    def dense_form(self, p: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same by the matrix, in O(n^2)."""


@dataclass(frozen=True)
class GaussianKernel(Kernel):
    r"""The kernel :math:`\exp(-d^2 / l^2)`, as in model-remediation: no factor 2.

    The sum of its copies shifted by multiples of a period P > 1 differs from it on [-1, 1] by less
    than the precision, and is a cosine series with positive coefficients that decay as fast,
    :math:`c_k = (l \sqrt\pi / P) \exp(-(\pi k l / P)^2)`. So the form is
    :math:`\sum_k c_k [(\sum_i w_i \cos \omega_k p_i)^2 + (\sum_i w_i \sin \omega_k p_i)^2]`, a sum
    of squares in O(n) with about twenty frequencies for l = 0.1.
    """

    def form(self, p: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        base, weights = self._series(p.dtype)
        n_forms, n = p.shape
        if n_forms * n * n <= DENSE_ENTRIES or n <= len(weights):
            return self.dense_form(p, w)
        series = torch.tensor(weights, dtype=p.dtype, device=p.device)
        if p.device.type != "cpu":
            return _by_series(p, w, base, series)
        # As many forms at a time as stay in the cache with their waves.
        step = max(1, CACHED // (2 * n * len(weights)))
        parts = [
            _by_series(p[k : k + step], w[k : k + step], base, series)
            for k in range(0, n_forms, step)
        ]
        if len(parts) == 1:
            return parts[0]
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    def _series(self, dtype: torch.dtype) -> tuple[float, list[float]]:
        """Base frequency and coefficients; what is left out is below the precision."""
        reach = math.sqrt(-math.log(PRECISION if dtype == torch.float32 else 1e-16))
        period = 1.0 + self.length * reach
        n_terms = math.ceil(reach * period / (math.pi * self.length))
        scale = self.length * math.sqrt(math.pi) / period
        rest = [math.exp(-((math.pi * k * self.length / period) ** 2)) for k in range(n_terms + 1)]
        return 2 * math.pi / period, [scale, *(2 * scale * value for value in rest[1:])]

    def dense_form(self, p: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        matrix = (p[:, :, None] - p[:, None, :]).mul_(1 / self.length).square_().neg_().exp_()
        both = torch.bmm(matrix, torch.stack([w, p * w], dim=2))
        value = (w * both[..., 0]).sum(1)
        return value, (p * both[..., 0] - both[..., 1]) * w * (-4 / self.length**2)


@dataclass(frozen=True)
class LaplaceKernel(Kernel):
    r"""The kernel :math:`\exp(-|d| / l)`.

    On sorted predictions the sums over smaller and over larger ones are cumulative sums of
    :math:`w_j e^{\pm p_j / l}`, in double precision: exact in O(n log n). Ties pull nowhere.
    """

    def form(self, p: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if p.shape[0] * p.shape[1] ** 2 <= DENSE_ENTRIES:
            return self.dense_form(p, w)
        sorted_p, order = p.to(torch.float64).sort(1)
        weight = w.gather(1, order).to(torch.float64)
        # Centred, so that the exponents reach as far up as down.
        up = ((sorted_p - 0.5) / self.length).exp_()
        down = up.reciprocal()
        smaller = _sums_before(weight * up)
        larger = _sums_before((weight * down).flip(1)).flip(1)
        below, above = smaller[:, :-1], larger[:, 1:]
        up_to = smaller[:, 1:]
        if bool((sorted_p[:, 1:] == sorted_p[:, :-1]).any()):
            first = torch.searchsorted(sorted_p, sorted_p)
            last = torch.searchsorted(sorted_p, sorted_p, right=True)
            below, above = smaller.gather(1, first), larger.gather(1, last)
            up_to = smaller.gather(1, last)
        below, above = down * below, up * above
        # Predictions at and below each, and those above.
        value = (weight * (down * up_to + above)).sum(1)
        slope = (above - below) * weight * (2 / self.length)
        return value.to(p.dtype), torch.empty_like(p).scatter_(1, order, slope.to(p.dtype))

    def dense_form(self, p: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        distance = p[:, :, None] - p[:, None, :]
        matrix = distance.abs().mul_(-1 / self.length).exp_()
        value = (w * torch.bmm(matrix, w[:, :, None])[..., 0]).sum(1)
        pull = torch.bmm(matrix.mul_(distance.sign_()), w[:, :, None])[..., 0]
        return value, pull * w * (-2 / self.length)


KERNELS: dict[str, type[Kernel]] = {"gaussian": GaussianKernel, "laplace": LaplaceKernel}


class _Form(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Any, w: Any, kernel: Any) -> Any:
        value, gradient = kernel.form(p, w)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        (gradient,) = ctx.saved_tensors
        return slopes[0][:, None] * gradient, None, None


class _LogitForm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Any, w: Any, kernel: Any) -> Any:
        n_streams, n, n_tasks = logits.shape
        # One form a stream and task, its rows side by side in memory.
        p = torch.sigmoid(logits.transpose(1, 2).reshape(n_streams * n_tasks, n))
        value, gradient = kernel.form(p, w)
        ctx.save_for_backward(gradient.mul_(p).mul_(1 - p))
        return value.view(n_streams, n_tasks)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        (gradient,) = ctx.saved_tensors
        n_streams, n_tasks = slopes[0].shape
        gradient = (slopes[0].reshape(-1, 1) * gradient).view(n_streams, n_tasks, -1)
        return gradient.transpose(1, 2), None, None


def logit_form(logits: torch.Tensor, w: torch.Tensor, kernel: Kernel) -> torch.Tensor:
    """`signed_form` of the probabilities of several streams' logits, in one differentiable step.

    Parameters
    ----------
    logits : tensor of shape (n_streams, n, n_tasks)
    w : tensor of shape (n_streams * n_tasks, n)
    kernel : Kernel

    Returns
    -------
    tensor of shape (n_streams, n_tasks)

    Examples
    --------
    >>> w = torch.tensor([[1.0, -1.0]])
    >>> float(logit_form(torch.zeros(1, 2, 1), w, GaussianKernel(0.1)))
    0.0
    """
    return _LogitForm.apply(logits, w, kernel)


def signed_form(p: torch.Tensor, w: torch.Tensor, kernel: Kernel) -> torch.Tensor:
    """Squared maximum mean discrepancies between the positive and negative side of each sample.

    Parameters
    ----------
    p : tensor of shape (n_forms, n)
        Probabilities; the result is differentiable in them, once.
    w : tensor of shape (n_forms, n)
        Signed weights, +1 / n_inside and -1 / n_outside; rows of weight zero take no part. They
        are constants.
    kernel : Kernel

    Returns
    -------
    tensor of shape (n_forms,)

    Examples
    --------
    >>> p, w = torch.tensor([[0.2, 0.3]]), torch.tensor([[1.0, -1.0]])
    >>> float(signed_form(p, w, LaplaceKernel(0.1)))  # 1 - 2 exp(-1) + 1
    1.264
    """
    return _Form.apply(p, w, kernel)


def _by_series(
    p: torch.Tensor, w: torch.Tensor, base: float, series: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Forms and gradients by a cosine series with multiples of the frequency ``base``."""
    n_terms = len(series) - 1
    waves = harmonics(base * p, n_terms)
    sums = (waves * w).sum(3)
    value = (sums.square().sum(0) * series[1:, None]).sum(0) + series[0] * w.sum(1).square()
    # d cos = -omega sin, d sin = omega cos.
    speed = torch.arange(1, n_terms + 1, dtype=p.dtype, device=p.device) * base
    sums *= (series[1:] * speed)[:, None]
    slope = (waves[0] * sums[1, :, :, None]).sum(0)
    slope -= (waves[1] * sums[0, :, :, None]).sum(0)
    return value, slope.mul_(w).mul_(2)


def harmonics(angle: torch.Tensor, n_terms: int) -> torch.Tensor:
    """Cosines and sines of k times an angle, k = 1 to ``n_terms``, by doubling.

    Products are several times faster than the functions themselves.

    Returns
    -------
    tensor of shape (2, n_terms, *angle.shape)

    Examples
    --------
    >>> harmonics(torch.tensor([0.5]), 3)[1, :, 0].tolist()  # sin(.5), sin(1), sin(1.5)
    [0.479, 0.841, 0.997]
    """
    waves = angle.new_empty((2, n_terms, *angle.shape))
    cosines, sines = waves[0], waves[1]
    torch.cos(angle, out=cosines[0])
    torch.sin(angle, out=sines[0])
    done = 1
    while done < n_terms:
        more = min(done, n_terms - done)
        cosine, sine = cosines[done - 1], sines[done - 1]
        new = slice(done, done + more)
        torch.mul(cosines[:more], cosine, out=cosines[new])
        cosines[new].addcmul_(sines[:more], sine, value=-1)
        torch.mul(sines[:more], cosine, out=sines[new])
        sines[new].addcmul_(cosines[:more], sine)
        done += more
    return waves


def _sums_before(values: torch.Tensor) -> torch.Tensor:
    """Sums of the first 0, 1, ..., n values of each row."""
    return torch.nn.functional.pad(values.cumsum(1), (1, 0))
