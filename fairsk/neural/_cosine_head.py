"""The cosine head of CosFace, its loss with a margin a row, and the focal loss.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

# A power below one has an infinite slope at zero.
TINY = 1e-7


class Embedding(nn.Module):
    """A network whose outputs are put on the unit sphere.

    Parameters
    ----------
    body : torch.nn.Module
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.body(batch), dim=1)


class CosineNetwork(nn.Module):
    """An embedding, and the scaled cosines of its angles to a direction a class.

    Parameters
    ----------
    body : torch.nn.Module
    embedding_size, n_classes : int
    scale : float

    Examples
    --------
    >>> network = CosineNetwork(nn.Identity(), 2, 3, 64.0)
    >>> logits = network(torch.tensor([[3.0, 4.0]]))
    >>> logits.shape, bool((logits.abs() <= 64.001).all())
    (torch.Size([1, 3]), True)
    """

    def __init__(self, body: nn.Module, embedding_size: int, n_classes: int, scale: float) -> None:
        super().__init__()
        self.embedding = Embedding(body)
        self.directions = nn.Parameter(torch.randn(n_classes, embedding_size))
        self.scale = scale

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        directions = functional.normalize(self.directions, dim=1)
        return self.scale * functional.linear(self.embedding(batch), directions)


def margin_loss(
    margins: torch.Tensor, scale: float, focal_gamma: float
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    r"""Cross-entropy of each row with its own margin subtracted from the cosine of its class.

    .. math:: -\log \frac{e^{s(\cos\theta_y - m)}}{e^{s(\cos\theta_y - m)}
        + \sum_{j \neq y} e^{s \cos\theta_j}}

    With a focal gamma, each row's loss l is multiplied by :math:`(1 - e^{-l})^\gamma`.

    Parameters
    ----------
    margins : tensor of shape (n_margins,)
    scale : float
        What the cosines are multiplied by already.
    focal_gamma : float

    Returns
    -------
    callable
        From logits (n, n_classes) and targets (n, 2), the class and which margin, to losses (n,).

    Examples
    --------
    >>> loss = margin_loss(torch.tensor([0.0, 0.5]), 2.0, 0.0)
    >>> loss(torch.zeros(2, 2), torch.tensor([[0, 0], [0, 1]])).tolist()  # log(1 + e^0), e^1
    [0.693, 1.313]
    """

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        classes = targets[:, :1]
        taken = -scale * margins.to(logits.dtype)[targets[:, 1:]]
        losses = functional.cross_entropy(
            logits.scatter_add(1, classes, taken), classes[:, 0], reduction="none"
        )
        if focal_gamma:
            losses = losses * (-torch.expm1(-losses)).clamp(min=TINY) ** focal_gamma
        return losses

    return loss
