"""A discriminator of real rows from copies, with its gradients written out.

Batches are small and layers narrow, so that training costs calls sooner than arithmetic; writing
the backward pass out takes half the time of recording it.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from fairsk.neural._networks import make_mlp
from fairsk.utils import FlatAdam


class Discriminator:
    """A multilayer perceptron with ReLU and one logit: of being a copy.

    A batch is the real rows (label 0) and below them their copies (label 1), with the same weights.

    Parameters
    ----------
    n_inputs : int
    hidden_layer_sizes : sequence of int
    lr : float
        Of Adam.
    device : torch.device

    Attributes
    ----------
    module : torch.nn.Sequential
    optimizer : FlatAdam
    """

    def __init__(
        self, n_inputs: int, hidden_layer_sizes: Sequence[int], lr: float, device: Any
    ) -> None:
        self.module = make_mlp(n_inputs, hidden_layer_sizes, 1).to(device)
        self.optimizer = FlatAdam(self.module.parameters(), lr)
        # Views of the optimizer's vectors: they follow its steps.
        linear: list[Any] = [layer for layer in self.module if hasattr(layer, "weight")]
        self._weights = [layer.weight.detach() for layer in linear]
        self._biases = [layer.bias.detach() for layer in linear]
        self._weight_gradients = [layer.weight.grad for layer in linear]
        self._bias_gradients = [layer.bias.grad for layer in linear]

    def step(self, batch: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """Train on one batch; returns its cross-entropy before the step."""
        with torch.no_grad():
            layers = self._forward(batch)
            loss, slope = cross_entropy(layers[-1][:, 0], weight)
            self._backward(layers, slope[:, None], parameters=True)
            self.optimizer.apply()
        return loss

    def loss(self, batch: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """Cross-entropy of a batch."""
        with torch.no_grad():
            return cross_entropy(self._forward(batch)[-1][:, 0], weight)[0]

    def exchanged_loss(
        self,
        outputs: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> torch.Tensor:
        """Cross-entropy with the labels exchanged, differentiable in the predictor's outputs.

        Parameters
        ----------
        outputs : tensor of shape (n, n_outputs)
        real, fake : tensor of shape (n, n_columns)
        weight : tensor of shape (n,), optional
        """
        return _ExchangedLoss.apply(outputs, real, fake, weight, self)

    def exchanged_loss_and_gradient(
        self,
        outputs: torch.Tensor,
        real: torch.Tensor,
        fake: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same and its gradient, of the shape of ``outputs``."""
        n, n_outputs = outputs.shape
        layers = self._forward(
            torch.cat([torch.cat([outputs, real], 1), torch.cat([outputs, fake], 1)])
        )
        loss, slope = cross_entropy(layers[-1][:, 0], weight, exchanged=True)
        gradient = self._backward(layers, slope[:, None], parameters=False)
        return loss, gradient[:n, :n_outputs] + gradient[n:, :n_outputs]

    def _forward(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """The input of each layer, and the logits."""
        layers = [batch]
        for weight, bias in zip(self._weights, self._biases, strict=True):
            # In place, as nothing else has seen the layer; the last one has no ReLU.
            value = torch.addmm(bias, layers[-1], weight.t())
            layers.append(value.relu_() if len(layers) < len(self._weights) else value)
        return layers

    def _backward(
        self, layers: list[torch.Tensor], slope: torch.Tensor, *, parameters: bool
    ) -> torch.Tensor:
        """Gradients of the parameters into the optimizer, or the gradient of the batch."""
        for k in range(len(self._weights) - 1, -1, -1):
            if parameters:
                torch.mm(slope.t(), layers[k], out=self._weight_gradients[k])
                torch.sum(slope, 0, out=self._bias_gradients[k])
                if k == 0:
                    break
            slope = slope.mm(self._weights[k])
            if k > 0:
                slope = torch.ops.aten.threshold_backward(slope, layers[k], 0)
        return slope


class _ExchangedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs: Any, real: Any, fake: Any, weight: Any, of: Any) -> Any:
        loss, ctx.gradient = of.exchanged_loss_and_gradient(outputs, real, fake, weight)
        return loss

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return slopes[0] * ctx.gradient, None, None, None, None


def cross_entropy(
    logits: torch.Tensor, weight: torch.Tensor | None, *, exchanged: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cross-entropy of real rows (label 0) and below them copies (1), and its gradient.

    Parameters
    ----------
    logits : tensor of shape (2 n,)
    weight : tensor of shape (n,), optional
    exchanged : bool
        Whether the real rows have label 1 instead, and the copies 0.

    Returns
    -------
    loss : scalar tensor
    gradient : tensor of shape (2 n,)

    Examples
    --------
    >>> loss, gradient = cross_entropy(torch.zeros(2), None)
    >>> float(loss), gradient.tolist()
    (0.693, [0.25, -0.25])
    """
    n = len(logits) // 2
    signs = torch.ones_like(logits)
    (signs[:n] if exchanged else signs[n:]).fill_(-1.0)
    # log(1 + exp(z)) for label 0, log(1 + exp(-z)) for label 1.
    signed = logits * signs
    losses, slopes = functional.softplus(signed), torch.sigmoid(signed).mul_(signs).div_(2 * n)
    if weight is None:
        return losses.mean(), slopes
    both = torch.cat([weight, weight])
    return (losses * both).mean(), slopes * both
