"""What a penalty sees of a batch. Tensors, but torch is not imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fairsk.neural._penalties._values import Families, GroupValues, group_means

TARGETS = ("binary", "multiclass", "multilabel", "regression")


@dataclass(frozen=True)
class PenaltyBatch:
    """Outputs of the network with targets, groups and weights of some rows.

    Attributes
    ----------
    outputs : tensor of shape (n_samples, n_outputs)
        Of the network: logits, or the prediction of a standardised target.
    y : tensor of shape (n_samples,) or (n_samples, n_tasks)
        Class codes, standardised targets, or zeros and ones of several tasks.
    groups : tensor of int of shape (n_samples, n_columns)
        The groups that each row is in, counted over all families; -1 is unknown.
    families : tuple of slice
        The groups of each family. One family, unless sensitive features are independent.
    weight : tensor of shape (n_samples,)
        What each row counts.
    target : {"binary", "multiclass", "multilabel", "regression"}
    loss : callable
        From `outputs` and `y` to losses of shape (n_samples, n_tasks).
    share : tensor of shape (n_families,) or None
        `known_share`, where the rows were drawn and do not tell.

    Examples
    --------
    >>> import torch
    >>> batch = PenaltyBatch(
    ...     outputs=torch.tensor([[0.0], [0.0], [2.0]]),
    ...     y=torch.tensor([0, 1, 1]),
    ...     groups=torch.tensor([[0], [1], [-1]]),
    ...     families=(slice(0, 2),),
    ...     weight=torch.ones(3),
    ...     target="binary",
    ...     loss=lambda outputs, y: (outputs[:, 0] - y).square()[:, None],
    ... )
    >>> batch.probabilities[:, 0]
    tensor([0.5000, 0.5000, 0.8808])
    >>> batch.group_means(batch.losses).values[:, 0]
    tensor([0., 1.])
    """

    outputs: Any
    y: Any
    groups: Any
    families: Families
    weight: Any
    target: str
    loss: Callable[[Any, Any], Any]
    share: Any = None

    @cached_property
    def losses(self) -> Any:
        """Loss of each row and task, of shape (n_samples, n_tasks)."""
        return self.loss(self.outputs, self.y)

    @cached_property
    def log_odds(self) -> Any:
        """Log-odds of a one, of shape (n_samples, n_tasks), for binary tasks."""
        if self.target == "multilabel":
            return self.outputs
        if self.target != "binary":
            raise ValueError(f"There are no log-odds of a {self.target} target.")
        outputs = self.outputs
        return outputs if outputs.shape[1] == 1 else outputs[:, 1:] - outputs[:, :1]

    @cached_property
    def probabilities(self) -> Any:
        """Probability of a one, of shape (n_samples, n_tasks), or of each class of several."""
        if self.target == "multiclass":
            return self.outputs.softmax(1)
        return self.log_odds.sigmoid()

    @cached_property
    def labels(self) -> Any:
        """Labels 0 or 1 of binary tasks, of shape (n_samples, n_tasks)."""
        y = self.y if self.y.ndim == 2 else self.y[:, None]
        return y.to(self.outputs.dtype)

    @cached_property
    def members(self) -> Any:
        """One where the row is in the group, of shape (n_samples, n_groups)."""
        n_groups = self.families[-1].stop
        numbers = self.groups.new_ones(n_groups).cumsum(0) - 1
        inside = (self.groups[:, :, None] == numbers).any(1)
        return inside.to(self.outputs.dtype)

    def totals(self, values: Any, condition: Any = None) -> tuple[Any, Any]:
        """Weighted sums of values over the rows of each group, and the mass of those rows.

        Parameters
        ----------
        values : tensor of shape (n_samples, n_values)
        condition : tensor of that shape, optional
            What each row counts for each value beside its weight; 0 leaves it out.

        Returns
        -------
        sums, masses : tensor of shape (n_groups, n_values)
        """
        counted = self.weight[:, None].expand_as(values)
        if condition is not None:
            counted = counted * condition
        return self.members.t() @ (counted * values), self.members.t() @ counted

    def group_means(self, values: Any, condition: Any = None) -> GroupValues:
        """Mean of values over the rows of each group that fulfil the condition.

        Parameters
        ----------
        values, condition
            As in `totals`.

        Returns
        -------
        GroupValues
        """
        return group_means(*self.totals(values, condition), self.families, self.known_share)

    @cached_property
    def known_share(self) -> Any:
        """Share of all rows, by weight, whose group is known, of shape (n_families,)."""
        if self.share is not None:
            return self.share
        known = [self.members[:, family].sum(1) @ self.weight for family in self.families]
        total = self.weight.sum()
        shares = self.weight.new_zeros(len(known))
        for place, mass in enumerate(known):
            shares[place] = mass / total.where(total > 0, total.new_ones(()))
        return shares
