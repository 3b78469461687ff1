"""The one training loop: minibatches of resident tensors, a task loss, and a term beside it.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

from fairsk.utils import OPTIMIZERS, EarlyStopping, private_rng, progress_bar

# A loss this many times the lowest one so far is a divergence, although it is still a number.
EXPLOSION = 1e4
# What a restart multiplies the learning rates by.
RESTART_FACTOR = 0.3
PREDICT_ROWS = 65_536
# Numbers of the inputs that are put into the epoch's order at a time, 8 MB: no second copy of X,
# and memory that the next batches use again.
GATHERED = 2_097_152

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Settings:
    """How to train; the names are those of the estimators' parameters."""

    max_epochs: int
    batch_size: int
    lr: float
    optimizer: str = "adam"
    weight_decay: float = 0.0
    early_stopping: bool = False
    patience: int = 10
    max_restarts: int = 2
    device: str = "cpu"
    verbose: int = 0
    description: str = ""


def as_tensor(values: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """A tensor that nobody writes to; shares the memory of the array where it can."""
    # torch warns of arrays that it could not write to, such as memory maps.
    return torch.as_tensor(values if values.flags.writeable else values.copy(), dtype=dtype)


class Rows:
    """Features of some rows, resident on the device when dense; a sparse matrix is densified
    batch by batch and never whole."""

    def __init__(self, X: Any, device: str, dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = device, dtype
        self.is_sparse = sparse.issparse(X)
        self.values: Any = X.tocsr() if self.is_sparse else as_tensor(X, dtype).to(device)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def take(self, rows: torch.Tensor) -> Rows:
        """Some of the rows, as Rows again: one gather an epoch, and batches are then slices."""
        taken = copy.copy(self)
        taken.values = self.values[rows.cpu().numpy() if self.is_sparse else rows]
        return taken

    def __getitem__(self, part: slice) -> torch.Tensor:
        values = self.values[part]
        if not self.is_sparse:
            return values
        return torch.as_tensor(values.toarray(), dtype=self.dtype).to(self.device)


@dataclass(frozen=True)
class Sample:
    """Rows with their targets; ``weight`` has mean one, and is None where all rows count alike.

    ``trained`` are the numbers of the rows that the task loss is trained on, by default all; the
    others are there for a term to draw.
    ``redraw`` gives other targets to train on in each epoch, from the seed of the start and the
    number of the epoch; ``y`` is then what the first loss, before training, is measured on.
    """

    X: Rows
    y: torch.Tensor
    weight: torch.Tensor | None = None
    trained: torch.Tensor | None = None
    redraw: Callable[[int, int], torch.Tensor] | None = None

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: torch.Tensor) -> Sample:
        weight = None if self.weight is None else self.weight[rows]
        return Sample(self.X.take(rows), self.y[rows], weight)


class Term:
    """What is added to the task loss: ``task_weight task loss + weight penalty``.

    A subclass writes `penalty`, and what else it needs of the other hooks. An adversary trains
    itself in `start_epoch`. A term that compares rows of its own choice asks for them by
    `extra_rows`; they pass through the network together with the batch, and the task loss does not
    see them.
    """

    weight: float = 0.0

    @property
    def task_weight(self) -> float:
        return 1.0 - self.weight

    def start(self, n_outputs: int, attempt: int, rate_factor: float) -> None:
        """Before the first epoch of each attempt: fresh adversaries."""

    def start_epoch(self, order: torch.Tensor, predict: Callable[[], torch.Tensor]) -> None:
        """Before each epoch: ``order`` is the order of the rows, ``predict()`` the outputs now."""

    def extra_rows(self, parts: list[slice]) -> list[torch.Tensor | None] | None:
        """For each batch of the epoch, training rows to run below its own; None for none at all."""
        return None

    def penalty(self, outputs: torch.Tensor, part: slice) -> torch.Tensor | None:
        """Penalty of a batch, the rows ``order[part]`` of the epoch; None for none.

        For a term with extra rows these are their outputs, and a batch without any has no penalty.
        """
        raise NotImplementedError

    def held_out_penalty(self, outputs: torch.Tensor) -> float:
        """Penalty on the validation rows."""
        return 0.0

    def report(self) -> dict[str, float]:
        """What to add to the history of the epoch."""
        return {}

    def is_finite(self) -> bool:
        """Whether the term's own parameters are finite."""
        return True


@dataclass
class Result:
    """A trained module and how the training went."""

    module: nn.Module
    history: list[dict[str, float]] = field(default_factory=list)
    n_restarts: int = 0
    best_epoch: int = -1
    optimizer_state: dict[str, Any] = field(default_factory=dict)


class Diverged(FloatingPointError):
    """The loss or a parameter is not finite any more, or far beyond where it started."""


def train(
    build: Callable[[int], nn.Module],
    sample: Sample,
    loss: Loss,
    settings: Settings,
    *,
    seed: int,
    validation: Sample | None = None,
    term: Term | None = None,
    optimizer_state: dict[str, Any] | None = None,
) -> Result:
    """Train a module, and start again with smaller steps where it diverges.

    Parameters
    ----------
    build : callable
        From the number of the start (0, 1, ...) to a fresh module.
    sample : Sample
    loss : callable
        From outputs (n, k) and targets (n, ...) to the loss of each row, shape (n,).
    settings : Settings
    seed : int
        Decides initial weights, dropout and the order of the rows. torch's global generators are
        left as they were.
    validation : Sample, optional
        Rows to stop by.
    term : Term, optional
    optimizer_state : dict, optional
        Of an earlier training of the same module, to go on from.

    Returns
    -------
    Result

    Raises
    ------
    FloatingPointError
        If all starts diverged.
    """
    for attempt in range(settings.max_restarts + 1):
        with private_rng(seed + attempt, settings.device):
            module = build(attempt).to(settings.device)
            run = _Run(module, sample, loss, settings, validation, term)
            run.optimizer_state = dict(optimizer_state or {})
            try:
                run.go(seed + attempt, attempt)
            except Diverged as error:
                if attempt < settings.max_restarts:
                    continue
                raise FloatingPointError(
                    f"Training diverged in {attempt + 1} starts, the last with lr="
                    f"{settings.lr * RESTART_FACTOR**attempt:g}: {error} Standardise X, lower lr, "
                    f"or check X for extreme values."
                ) from error
        return Result(module.eval(), run.history, attempt, run.best_epoch, run.optimizer_state)
    raise AssertionError("unreachable")


class _Run:
    """One start of the training."""

    def __init__(
        self,
        module: nn.Module,
        sample: Sample,
        loss: Loss,
        settings: Settings,
        validation: Sample | None,
        term: Term | None,
    ) -> None:
        self.module, self.sample, self.loss = module, sample, loss
        self.settings, self.validation, self.term = settings, validation, term
        self.history: list[dict[str, float]] = []
        self.best_epoch = -1
        self.optimizer_state: dict[str, Any] = {}
        self.task_weight = 1.0 if term is None else term.task_weight

    def go(self, seed: int, attempt: int) -> None:
        settings = self.settings
        factor = RESTART_FACTOR**attempt
        self.seed = seed
        # A generator of its own: the order is the same with and without a term.
        generator = torch.Generator().manual_seed(seed)
        lowest = float(_mean(self.loss, outputs_of(self.module, self.sample.X), self.sample))
        self._check(lowest, np.inf)
        optimizer = OPTIMIZERS[settings.optimizer](
            self.module.parameters(), settings.lr * factor, weight_decay=settings.weight_decay
        )
        if self.optimizer_state:
            optimizer.resume(self.optimizer_state)
        if self.term is not None:
            width = outputs_of(self.module, self.sample.X.take(torch.arange(1))).shape[1]
            self.term.start(width, attempt, factor)
        stopping = EarlyStopping([self.module], settings.patience)
        trained = self.sample.trained
        n_trained = len(self.sample) if trained is None else len(trained)
        for _ in progress_bar(settings.max_epochs, settings.verbose, settings.description):
            order = torch.randperm(n_trained, generator=generator).to(settings.device)
            record = self._epoch(order if trained is None else trained[order], optimizer)
            self._check(record["loss"], lowest)
            if not optimizer.is_finite() or (self.term and not self.term.is_finite()):
                raise Diverged("a weight is not finite.")
            lowest = min(lowest, record["loss"])
            self.history.append(record)
            if settings.early_stopping and stopping.update(self._validate(record)):
                break
        if settings.early_stopping:
            stopping.restore()
            self.best_epoch = stopping.best_epoch
        self.optimizer_state = optimizer.state()
        optimizer.release()

    def _epoch(self, order: torch.Tensor, optimizer: Any) -> dict[str, float]:
        term, n_rows = self.term, len(order)
        y, weights = self._targets()[order], self.sample.weight
        weights = None if weights is None else weights[order]
        parts = batches(n_rows, self.settings.batch_size)
        extra = self._start_term(order, parts)
        self.module.train()
        total = torch.zeros((), device=self.settings.device)
        penalties = torch.zeros((), device=self.settings.device)
        inputs = batches_of_inputs(self.sample.X, order, parts, extra)
        for part, batch in zip(parts, inputs, strict=True):
            outputs, size = self.module(batch), part.stop - part.start
            own, compared = outputs, outputs if extra is None else None
            if len(batch) > size:
                # One split has a cheaper gradient than two slices.
                own, compared = outputs.split([size, len(outputs) - size])
            value = _weighted(self.loss(own, y[part]), None if weights is None else weights[part])
            total += value.detach() * size
            penalty = None
            if term is not None and compared is not None:
                penalty = term.penalty(compared, part)
            if term is not None and penalty is not None:
                penalties += penalty.detach() * size
                value = self.task_weight * value + term.weight * penalty
            optimizer.step(value)
        record = {"loss": float(total) / n_rows}
        if term is not None:
            record |= {"penalty": float(penalties) / n_rows, **term.report()}
        return record

    def _targets(self) -> torch.Tensor:
        """The targets of this epoch."""
        redraw = self.sample.redraw
        return self.sample.y if redraw is None else redraw(self.seed, len(self.history))

    def _start_term(
        self, order: torch.Tensor, parts: list[slice]
    ) -> list[torch.Tensor | None] | None:
        """Prepare the term for an epoch; returns the rows that it adds to the batches."""
        if self.term is None:
            return None
        self.term.start_epoch(order, lambda: outputs_of(self.module, self.sample.X)[order])
        return self.term.extra_rows(parts)

    def _validate(self, record: dict[str, float]) -> float:
        """The value function on the validation rows, which training stops by."""
        assert self.validation is not None
        outputs = outputs_of(self.module, self.validation.X)
        record["validation_loss"] = float(_mean(self.loss, outputs, self.validation))
        score = record["validation_loss"]
        if self.term is not None:
            record["validation_penalty"] = self.term.held_out_penalty(outputs)
            score = self.task_weight * score + self.term.weight * record["validation_penalty"]
        record["validation_score"] = score
        return score

    def _check(self, loss: float, lowest: float) -> None:
        if not np.isfinite(loss) or loss > EXPLOSION * lowest:
            raise Diverged(f"the training loss is {loss:.3g}.")


def batches(n_rows: int, batch_size: int) -> list[slice]:
    """Consecutive parts of ``n_rows``; a last part of one row joins the part before it.

    One row alone has no batch statistics, and its gradient is mostly noise.

    Examples
    --------
    >>> batches(7, 3)
    [slice(0, 3, None), slice(3, 7, None)]
    """
    starts = list(range(0, n_rows, batch_size))
    if len(starts) > 1 and n_rows - starts[-1] == 1:
        starts.pop()
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], n_rows], strict=True)]


def batches_of_inputs(
    X: Rows, order: torch.Tensor, parts: list[slice], extra: list[torch.Tensor | None] | None = None
) -> Iterator[torch.Tensor]:
    """Inputs of the rows ``order[part]`` of each batch and, below them, of the extra ones.

    Several batches are gathered at once, and each is then a slice: one forward pass without a copy.
    """
    pieces = [order[part] for part in parts]
    if extra is not None:
        pieces = [
            own if rows is None else torch.cat([own, rows])
            for own, rows in zip(pieces, extra, strict=True)
        ]
    most, start = GATHERED // X.values.shape[1], 0
    while start < len(pieces):
        stop, n_rows = start + 1, len(pieces[start])
        while stop < len(pieces) and n_rows + len(pieces[stop]) <= most:
            n_rows, stop = n_rows + len(pieces[stop]), stop + 1
        gathered, first = X.take(torch.cat(pieces[start:stop])), 0
        for piece in pieces[start:stop]:
            yield gathered[slice(first, first + len(piece))]
            first += len(piece)
        start = stop


def outputs_of(module: nn.Module, X: Rows) -> torch.Tensor:
    """Outputs of the module for all rows, without gradients and with dropout off."""
    was_training = module.training
    module.eval()
    with torch.no_grad():
        parts = [module(X[part]) for part in batches(len(X), PREDICT_ROWS)]
    module.train(was_training)
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _weighted(losses: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    return losses.mean() if weight is None else (losses * weight).mean()


def _mean(loss: Loss, outputs: torch.Tensor, sample: Sample) -> torch.Tensor:
    return _weighted(loss(outputs, sample.y), sample.weight)
