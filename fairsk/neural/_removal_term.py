"""Two players: a network that hides the sensitive features, and a classifier that looks for them.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from fairsk.neural._networks import make_mlp
from fairsk.neural._training import Term, batches
from fairsk.utils import FlatAdam, private_rng

# What the published objective pulls the probability of one group towards.
PUBLISHED_TARGET = 0.9
UNKNOWN = -1


class RemovalNetwork(nn.Module):
    """Features phi(x), and beside them what a linear head makes of them for the task.

    The features have mean zero and variance one (a batch normalisation without parameters). Else
    they would be hidden by being made small, from a classifier that needs time to follow, until
    they are nothing.

    Parameters
    ----------
    body : torch.nn.Module
        From X to phi(x).
    n_components, n_task_outputs : int
    """

    def __init__(self, body: nn.Module, n_components: int, n_task_outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(body, nn.BatchNorm1d(n_components, affine=False))
        self.head = nn.Linear(n_components, n_task_outputs)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        features = self.body(batch)
        return torch.cat([features, self.head(features)], dim=1)


@dataclass(frozen=True)
class SensitiveCodes:
    """Groups of some rows, one column a sensitive feature.

    Attributes
    ----------
    codes : tensor of int of shape (n_samples, n_features)
        -1 where unknown.
    weight : tensor of shape (n_samples,) or None
    """

    codes: torch.Tensor
    weight: torch.Tensor | None

    def take(self, rows: Any) -> SensitiveCodes:
        weight = None if self.weight is None else self.weight[rows]
        return SensitiveCodes(self.codes[rows], weight)


def confusion(logits: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    r"""Divergence :math:`KL(\pi \| P)` of each row's probabilities from the prior, shape (n,).

    Zero where the classifier says of a row what it would say of any: its gradient is P less the
    prior, and so does not vanish where the classifier is sure.

    Examples
    --------
    >>> confusion(torch.log(torch.tensor([[0.3, 0.7], [0.7, 0.3]])), torch.tensor([0.3, 0.7]))
    tensor([0.0000, 0.3389])
    """
    return (prior * (prior.log() - torch.log_softmax(logits, dim=1))).sum(dim=1)


def published(logits: torch.Tensor, target: int) -> torch.Tensor:
    r"""The printed :math:`\log(1 + |0.9 - P_s|)` of each row, shape (n,).

    Examples
    --------
    >>> published(torch.tensor([[0.0, 0.0]]), 0)  # log 1.4
    tensor([0.3365])
    """
    return torch.log1p((PUBLISHED_TARGET - torch.softmax(logits, dim=1)[:, target]).abs())


class RemovalTerm(Term):
    """What the network pays for what a sensitive classifier reads in its features.

    The classifier, one head a sensitive feature, is trained for some passes over the rows before
    each epoch and a step before each batch: what it does not know is not hidden from anybody.

    Parameters
    ----------
    weight : float
    rows, held_out : SensitiveCodes
        Of the training and the validation rows, if any of the latter.
    n_components : int
        The outputs that are features; the others are the task's.
    priors : sequence of tensor
        Shares of the groups, for each sensitive feature.
    targets : sequence of int, optional
        For the published objective, the group of each feature that rows are to look like; without,
        they are to look like the prior.
    seed : int
    hidden_layer_sizes, lr, n_passes, batch_size
        Of the classifier.
    """

    task_weight = 1.0

    def __init__(
        self,
        weight: float,
        rows: SensitiveCodes,
        held_out: SensitiveCodes | None,
        n_components: int,
        priors: Sequence[torch.Tensor],
        targets: Sequence[int] | None,
        seed: int,
        *,
        hidden_layer_sizes: Sequence[int],
        lr: float,
        n_passes: int,
        batch_size: int,
    ) -> None:
        self.weight, self.rows, self.held_out = weight, rows, held_out
        self.n_components, self.priors, self.targets = n_components, list(priors), targets
        self.seed, self.hidden_layer_sizes = seed, hidden_layer_sizes
        self.lr, self.n_passes, self.batch_size = lr, n_passes, batch_size
        self.sizes = [len(prior) for prior in priors]

    def start(self, n_outputs: int, attempt: int, rate_factor: float) -> None:
        device = self.rows.codes.device
        with private_rng(self.seed + attempt, device.type):
            self.classifier = make_mlp(self.n_components, self.hidden_layer_sizes, sum(self.sizes))
            self.classifier = self.classifier.to(device)
        self.optimizer = FlatAdam(self.classifier.parameters(), self.lr * rate_factor)
        self.loss = float("nan")

    def start_epoch(self, order: torch.Tensor, predict: Callable[[], torch.Tensor]) -> None:
        features = predict()[:, : self.n_components]
        self.epoch_rows = self.rows.take(order)
        parts = batches(len(features), self.batch_size)
        for _ in range(self.n_passes):
            total = torch.zeros((), device=features.device)
            for part in parts:
                loss = self._step(features[part], self.epoch_rows.take(part))
                total += loss * (part.stop - part.start)
        self.loss = float(total) / len(features)

    def penalty(self, outputs: torch.Tensor, part: slice) -> torch.Tensor:
        features, rows = outputs[:, : self.n_components], self.epoch_rows.take(part)
        self._step(features.detach(), rows)
        return self._hidden(features, rows)

    def held_out_penalty(self, outputs: torch.Tensor) -> float:
        if self.held_out is None:
            return 0.0
        with torch.no_grad():
            return float(self._hidden(outputs[:, : self.n_components], self.held_out))

    def report(self) -> dict[str, float]:
        return {"sensitive_loss": self.loss}

    def is_finite(self) -> bool:
        return self.optimizer.is_finite()

    def _step(self, features: torch.Tensor, rows: SensitiveCodes) -> torch.Tensor:
        """Train the classifier on one batch; returns its cross-entropy before the step."""
        blocks = self._blocks(features)
        loss = features.new_zeros(())
        for block, codes in zip(blocks, rows.codes.T, strict=True):
            losses = functional.cross_entropy(block, codes, ignore_index=UNKNOWN, reduction="none")
            loss = loss + _known_mean(losses, codes, rows.weight)
        self.optimizer.step(loss)
        return loss.detach()

    def _hidden(self, features: torch.Tensor, rows: SensitiveCodes) -> torch.Tensor:
        """What the network pays, a scalar; its gradient is none of the classifier's."""
        self.classifier.requires_grad_(False)
        total = features.new_zeros(())
        for k, block in enumerate(self._blocks(features)):
            each = (
                confusion(block, self.priors[k])
                if self.targets is None
                else published(block, self.targets[k])
            )
            total = total + _known_mean(each, rows.codes[:, k], rows.weight)
        self.classifier.requires_grad_(True)
        return total

    def _blocks(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.classifier(features).split(self.sizes, dim=1)


def _known_mean(
    values: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
) -> torch.Tensor:
    """Mean over rows whose group is known; zero where there is none."""
    counts = (codes != UNKNOWN).to(values.dtype)
    if weight is not None:
        counts = counts * weight
    return (values * counts).sum() / counts.sum().clamp(min=1e-12)
