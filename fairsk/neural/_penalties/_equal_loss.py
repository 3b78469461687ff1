"""Equal losses of the groups."""

from __future__ import annotations

from typing import Any

from fairsk.neural._penalties._base import GroupMeanPenalty
from fairsk.neural._penalties._batch import PenaltyBatch


class EqualLoss(GroupMeanPenalty):
    r"""The gap of the groups' mean losses, :math:`|\hat L^{a+} - \hat L^{a-}|` (equation 2).

    A stand-in for equal accuracy. The mean losses of small groups differ by chance: for truly
    equal groups with exponential losses the expected gap is .39, .20 and .10 at 8, 32 and 128 rows
    a group.
    """

    name = "equal_loss"

    def rows(self, batch: PenaltyBatch) -> tuple[Any, Any]:
        return batch.losses, None
