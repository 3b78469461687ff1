"""The contract of a penalty. torch is not imported: penalties are written with tensor methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairsk.neural._penalties._batch import TARGETS, PenaltyBatch
from fairsk.neural._penalties._values import GroupValues
from fairsk.notions import CONTRASTS


class FairnessPenalty:
    """How unfair the outputs of a batch are: what `FairPenaltyClassifier` adds to the task loss.

    A subclass writes `__call__` from a `PenaltyBatch` to a scalar, which is differentiable in the
    outputs, zero at parity, and zero where the batch has nothing to compare. It keeps no state.
    Where it compares means over the rows of groups, derive from `GroupMeanPenalty` instead.

    Parameters
    ----------
    contrast : {"groups", "population"}, default="groups"
        How groups are compared: the largest value minus the smallest, as in the paper, or the mean
        absolute deviation from the value of all.

    Attributes
    ----------
    name : str
        What it is called in `penalty=` and in messages.
    targets : tuple of str
        The kinds of y it is defined for: "binary", "multiclass", "multilabel", "regression".
    largest_alpha : float
        Above this weight the objective makes no sense.
    needs_all_groups : bool
        Whether it cannot be taken of one group against the others, as interleaving does.
    """

    name: str = ""
    targets: tuple[str, ...] = TARGETS
    largest_alpha: float = float("inf")
    needs_all_groups: bool = False
    contrast: str = "groups"

    def __init__(self, contrast: str = "groups") -> None:
        if contrast not in CONTRASTS:
            raise ValueError(f"contrast must be one of {list(CONTRASTS)}, got {contrast!r}.")
        self.contrast = contrast

    def __call__(self, batch: PenaltyBatch) -> Any:
        """The penalty of a batch, a scalar tensor."""
        raise NotImplementedError


class GroupMeanPenalty(FairnessPenalty):
    """A penalty on means over the rows of each group; a subclass writes `rows`.

    Contrasts are summed over values (such as rates), tasks and families. Because it is a function
    of means, it can be taken of running averages over batches.
    """

    def rows(self, batch: PenaltyBatch) -> tuple[Any, Any]:
        """What is averaged.

        Parameters
        ----------
        batch : PenaltyBatch

        Returns
        -------
        values : tensor of shape (n_samples, n_values)
        condition : tensor of that shape, or None
            1 where the row counts for the value, 0 where not; None for all.
        """
        raise NotImplementedError

    def compare(self, means: GroupValues) -> Any:
        """The penalty of the groups' means, a scalar tensor."""
        return means.contrast(self.contrast).sum()

    def __call__(self, batch: PenaltyBatch) -> Any:
        return self.compare(batch.group_means(*self.rows(batch)))


class FunctionPenalty(FairnessPenalty):
    """A plain function of the batch, as a penalty."""

    def __init__(self, function: Callable[[PenaltyBatch], Any]) -> None:
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)

    def __call__(self, batch: PenaltyBatch) -> Any:
        return self.function(batch)
