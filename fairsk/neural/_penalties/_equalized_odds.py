"""Equalized odds as the paper prints it; with the right denominators it is the notion's penalty."""

from __future__ import annotations

from typing import Any

from fairsk.neural._penalties._base import GroupMeanPenalty
from fairsk.neural._penalties._batch import PenaltyBatch


class EqualizedOddsAsPublished(GroupMeanPenalty):
    r"""Equation 4 with its denominators: all rows of the group, not those of the label.

    So it compares :math:`P(\hat y = 1, y = 0 | a)` and :math:`P(\hat y = 0, y = 1 | a)` between
    groups, the shares of errors and not the error rates. Groups with other base rates are then
    penalised at equalized odds: a constant probability of .3 with base rates .6 and .3 has the
    terms .090 and .210, and a false positive rate gap of .075 may have none. For comparison with
    the paper; take "equalized_odds" for equalized odds.
    """

    name = "equalized_odds_as_published"
    targets = ("binary", "multilabel")

    def rows(self, batch: PenaltyBatch) -> tuple[Any, Any]:
        p, y = batch.probabilities, batch.labels
        # Both kinds of error side by side: a row can make one of them.
        kinds = y.new_tensor([[1.0, 0.0], [0.0, 1.0]])
        errors = (p * (1 - y))[:, None] * kinds[:, :1] + ((1 - p) * y)[:, None] * kinds[:, 1:]
        return errors.flatten(1), None
