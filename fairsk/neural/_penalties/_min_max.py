"""Training on the worst group's loss."""

from __future__ import annotations

from typing import Any

from fairsk.neural._penalties._base import GroupMeanPenalty
from fairsk.neural._penalties._batch import PenaltyBatch
from fairsk.neural._penalties._values import GroupValues


class MinMax(GroupMeanPenalty):
    r"""How far the worst group's mean loss is above that of all: min-max training (equation 7).

    The paper trains on :math:`\max_a \hat L^a` in the place of :math:`\hat L` (and prints the max
    and min of equation 7 swapped). As a penalty that is :math:`\max_a \hat L^a - \hat L`: with
    alpha = 1 the objective is the worst group's loss alone, with less it is their mixture, and
    above it the other groups would be unlearned. Rows of unknown group keep their own loss.

    The maximum over a batch's few rows is too large by chance, for exponential losses of two equal
    groups 1.19, 1.10 and 1.04 instead of 1 at 8, 32 and 128 rows a group. `contrast` has no part.
    """

    name = "min_max"
    largest_alpha = 1.0
    needs_all_groups = True

    def rows(self, batch: PenaltyBatch) -> tuple[Any, Any]:
        return batch.losses, None

    def compare(self, means: GroupValues) -> Any:
        excess = means.largest() - means.overall
        if means.known_share is not None:
            excess = excess * means.known_share[:, None]
        # The worst group of all families, for each task.
        return excess.amax(0).sum()
