r"""How far (Yhat, A, Y) is from (Yhat, A~, Y): adversarial, MMD, energy distance.

The two samples share Yhat and Y row by row and differ in A alone. With v = (A, Y) and v~ = (A~, Y),
each discrepancy is zero in expectation when Yhat is independent of A given Y.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from fairsk.neural._discriminator import Discriminator
from fairsk.neural._training import Term, batches
from fairsk.utils import private_rng

# Brings the kernel discrepancies to the size of the task losses, so that mu means about the same.
SCALE = 30.0
# Rows of the kernel discrepancies on the validation part: they are quadratic in them.
MAX_HELD_OUT = 2000


class Copies:
    """The sensitive side of the training rows whose features are all known, and its copies.

    Parameters
    ----------
    codes : tensor of shape (n_known, n_codes)
        A as numbers.
    y : tensor of shape (n_known, n_y)
        Y as the adversary sees it.
    rows : tensor of int of shape (n_known,)
        Their positions among the training rows.
    n_rows : int
        Number of training rows.
    draw : callable
        Returns a fresh copy of A, a tensor like ``codes``.
    weight : tensor of shape (n_known,), optional
    """

    def __init__(
        self,
        codes: torch.Tensor,
        y: torch.Tensor,
        rows: torch.Tensor,
        n_rows: int,
        draw: Callable[[], torch.Tensor],
        weight: torch.Tensor | None = None,
    ) -> None:
        self.y, self.draw, self.weight = y, draw, weight
        self.real = torch.cat([codes, y], dim=1)
        # Where each training row is among the known ones; -1 for none.
        self.place = torch.full((n_rows,), -1, dtype=torch.long, device=codes.device)
        self.place[rows] = torch.arange(len(rows), device=codes.device)
        self.all_known = len(rows) == n_rows

    def fake(self) -> torch.Tensor:
        """A fresh copy beside Y, of shape (n_known, n_codes + n_y)."""
        return torch.cat([self.draw(), self.y], dim=1)


class DiscrepancyTerm(Term):
    """A term on batches of (outputs, v, v~): what the discrepancies share.

    In each epoch a copy is drawn and both sides are put into the epoch's order, so that a batch is
    a slice. Rows whose A is unknown are left out of it.
    """

    def __init__(
        self,
        weight: float,
        copies: Copies,
        held_out: Copies | None,
        seed: int,
        are_logits: bool = False,
    ) -> None:
        self.weight, self.copies, self.held_out = weight, copies, held_out
        self.seed, self.are_logits = seed, are_logits

    def start_epoch(self, order: torch.Tensor, predict: Callable[[], torch.Tensor]) -> None:
        place = self.copies.place[order]
        self.known: torch.Tensor | None = None
        if not self.copies.all_known:
            self.known = torch.nonzero(place >= 0)[:, 0]
            place = place[self.known]
        self.real, self.fake = self.copies.real[place], self.copies.fake()[place]
        weight = self.copies.weight
        self.row_weight = None if weight is None else weight[place]
        self.after_drawing(predict)

    def after_drawing(self, predict: Callable[[], torch.Tensor]) -> None:
        """Train an adversary on the epoch's copy."""

    def penalty(self, outputs: torch.Tensor, part: slice) -> torch.Tensor:
        if self.known is not None:
            # Known rows are in the epoch's order, so those of the batch are neighbours.
            bounds = torch.tensor([part.start, part.stop], device=self.known.device)
            first, last = torch.searchsorted(self.known, bounds).tolist()
            outputs = outputs[self.known[first:last] - part.start]
            part = slice(first, last)
            if first == last:
                return outputs.sum()
        weight = None if self.row_weight is None else self.row_weight[part]
        return self.discrepancy(outputs, self.real[part], self.fake[part], weight)

    def discrepancy(
        self,
        outputs: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> torch.Tensor:
        """What the predictor minimises, a scalar."""
        raise NotImplementedError

    def held_out_penalty(self, outputs: torch.Tensor) -> float:
        held_out = self.held_out
        if held_out is None:
            return 0.0
        known = torch.nonzero(held_out.place >= 0)[:, 0][:MAX_HELD_OUT]
        place = held_out.place[known]
        weight = None if held_out.weight is None else held_out.weight[place]
        with torch.no_grad():
            return self.measure(
                outputs[known], held_out.real[place], held_out.fake()[place], weight
            )

    def measure(
        self,
        outputs: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> float:
        """How unfair some rows are; zero when the discriminator or kernel sees nothing."""
        return float(self.discrepancy(outputs, real, fake, weight))


class AdversarialTerm(DiscrepancyTerm):
    """A discriminator D(Yhat, A, Y) of the real rows (0) from the copies (1).

    D is trained for one pass over the epoch's rows, with the predictor held still; the predictor
    then minimises D's cross-entropy with the labels exchanged. This has the fixed points of the
    printed value function, which subtracts D's loss, and a gradient that does not vanish where D
    is sure.
    """

    def __init__(
        self,
        weight: float,
        copies: Copies,
        held_out: Copies | None,
        seed: int,
        *,
        hidden_layer_sizes: Sequence[int],
        lr: float,
        batch_size: int,
    ) -> None:
        super().__init__(weight, copies, held_out, seed)
        self.hidden_layer_sizes, self.lr, self.batch_size = hidden_layer_sizes, lr, batch_size

    def start(self, n_outputs: int, attempt: int, rate_factor: float) -> None:
        device = self.copies.real.device
        with private_rng(self.seed + attempt, device.type):
            self.discriminator = Discriminator(
                n_outputs + self.copies.real.shape[1],
                self.hidden_layer_sizes,
                self.lr * rate_factor,
                device,
            )
        self.loss = float("nan")

    def after_drawing(self, predict: Callable[[], torch.Tensor]) -> None:
        outputs = predict()
        if self.known is not None:
            outputs = outputs[self.known]
        real = torch.cat([outputs, self.real], dim=1)
        fake = torch.cat([outputs, self.fake], dim=1)
        total = torch.zeros((), device=real.device)
        for part in batches(len(real), self.batch_size):
            weight = None if self.row_weight is None else self.row_weight[part]
            loss = self.discriminator.step(torch.cat([real[part], fake[part]]), weight)
            total += loss * (part.stop - part.start)
        self.loss = float(total) / len(real)

    def discrepancy(
        self,
        outputs: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> torch.Tensor:
        return self.discriminator.exchanged_loss(outputs, real, fake, weight)

    def measure(
        self,
        outputs: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> float:
        # log 2 is D's loss when it sees nothing.
        both = torch.cat([torch.cat([outputs, real], 1), torch.cat([outputs, fake], 1)])
        return math.log(2) - float(self.discriminator.loss(both, weight))

    def report(self) -> dict[str, float]:
        return {"discriminator_loss": self.loss}

    def is_finite(self) -> bool:
        return self.discriminator.optimizer.is_finite()


class MMDTerm(DiscrepancyTerm):
    r"""Squared maximum mean discrepancy with a Gaussian kernel on (Yhat, A, Y).

    The kernel of the joint vector is a product, so that the squared discrepancy is
    :math:`\frac{1}{n^2} \sum_{ij} k_u(u_i, u_j) \, [k_v(v_i, v_j) - k_v(v_i, \tilde v_j)
    - k_v(\tilde v_i, v_j) + k_v(\tilde v_i, \tilde v_j)]`; the bracket does not depend on the
    predictor. The width of k_v is the median distance of the batch; that of k_u is fixed, since a
    width that follows the outputs would reward growing instead of being fair.
    """

    def discrepancy(
        self,
        outputs: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> torch.Tensor:
        return SCALE * mmd_squared(comparable(outputs, self.are_logits), real, fake, weight)


class EnergyTerm(DiscrepancyTerm):
    r"""Energy distance :math:`2 E|z - \tilde z'| - E|z - z'| - E|\tilde z - \tilde z'|`."""

    def discrepancy(
        self,
        outputs: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> torch.Tensor:
        return SCALE * energy_distance(comparable(outputs, self.are_logits), real, fake, weight)


def comparable(outputs: torch.Tensor, are_logits: bool) -> torch.Tensor:
    """Outputs on a scale on which 1 is a usual distance, and that growing does not escape.

    Predictions of a standardised target are so already. Logits, which may grow without end and
    so leave a Gaussian kernel behind, become probabilities, in quarters.
    """
    if not are_logits:
        return outputs
    shares = torch.sigmoid(outputs) if outputs.shape[1] == 1 else torch.softmax(outputs, dim=1)
    return 4.0 * shares


def mmd_squared(
    outputs: torch.Tensor,
    real: torch.Tensor,
    fake: torch.Tensor,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Squared MMD (V-statistic) between (outputs, real) and (outputs, fake); width 1 for outputs.

    Parameters
    ----------
    outputs : tensor of shape (n, k)
    real, fake : tensor of shape (n, d)
    weight : tensor of shape (n,), optional

    Returns
    -------
    scalar tensor
    """
    u = _squared_distances(outputs, outputs)
    both = torch.cat([real, fake])
    v = _squared_distances(both, both)
    kernel_v = torch.exp(-v / (2 * _median(v)))
    n = len(real)
    bracket = kernel_v[:n, :n] - kernel_v[:n, n:] - kernel_v[n:, :n] + kernel_v[n:, n:]
    return _pair_mean(torch.exp(-u / 2) * bracket, weight)


def energy_distance(
    outputs: torch.Tensor,
    real: torch.Tensor,
    fake: torch.Tensor,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Energy distance (V-statistic) between (outputs, real) and (outputs, fake); as `mmd_squared`.

    Examples
    --------
    >>> u, v = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]])
    >>> float(energy_distance(u, v, v.flip(0)))  # 2 * 1 - sqrt(2) / 2 - sqrt(2) / 2
    0.586
    """
    u = _squared_distances(outputs, outputs)

    def mean_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return _pair_mean(_root(u + _squared_distances(a, b)), weight)

    within = mean_distance(real, real) + mean_distance(fake, fake)
    return 2 * mean_distance(real, fake) - within


def _squared_distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distances, from differences: exact zeros and finite gradients."""
    return (a[:, None, :] - b[None, :, :]).square().sum(dim=2)


def _root(squared: torch.Tensor) -> torch.Tensor:
    """Square root whose gradient at zero is zero instead of infinite."""
    return torch.where(squared > 0, squared.clamp(min=1e-12).sqrt(), torch.zeros_like(squared))


def _median(squared: torch.Tensor) -> torch.Tensor:
    """Median of the positive squared distances, held constant; one if there is none."""
    positive = squared.detach()[squared.detach() > 0]
    return positive.median() if len(positive) else squared.new_ones(())


def _pair_mean(values: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    if weight is None:
        return values.mean()
    weight = weight / weight.sum()
    return weight @ values @ weight
