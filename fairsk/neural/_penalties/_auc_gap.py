"""A gap of the groups' areas under the ROC curve, made smooth."""

from __future__ import annotations

from typing import Any

from fairsk.neural._penalties._base import FairnessPenalty
from fairsk.neural._penalties._batch import PenaltyBatch
from fairsk.neural._penalties._values import GroupValues

# Rows of a label that are paired at most: every pair of a large validation set has no room.
MOST_ROWS = 2_048


class AUCGap(FairnessPenalty):
    """The gap of smooth AUCs: the mean sigmoid of how far a one is ranked above a zero.

    The metric that the paper measures, penalised itself: its other penalties are stand-ins.
    """

    name = "auc_gap"
    targets = ("binary", "multilabel")

    def __call__(self, batch: PenaltyBatch) -> Any:
        n_groups, n_tasks = batch.members.shape[1], batch.labels.shape[1]
        auc = batch.outputs.new_zeros((n_groups, n_tasks))
        present = batch.outputs.new_zeros((n_groups, n_tasks)) > 0
        for group in range(n_groups):
            for task in range(n_tasks):
                inside = (batch.members[:, group] > 0) & (batch.weight > 0)
                ones, zeros = (_some(inside & (batch.labels[:, task] == y)) for y in (1, 0))
                if not len(ones) or not len(zeros):
                    continue  # no AUC of this group: it is not compared
                above = batch.log_odds[ones, task][:, None] - batch.log_odds[zeros, task]
                pairs = batch.weight[ones][:, None] * batch.weight[zeros]
                auc[group, task] = (pairs * above.sigmoid()).sum() / pairs.sum()
                present[group, task] = True
        overall = auc.new_zeros((len(batch.families), n_tasks))
        for place, family in enumerate(batch.families):
            overall[place] = auc[family].sum(0) / present[family].sum(0).clamp(min=1)
        return GroupValues(auc, present, overall, batch.families).contrast(self.contrast).sum()


def _some(mask: Any) -> Any:
    rows = mask.nonzero()[:, 0]
    return rows[:: -(-len(rows) // MOST_ROWS)] if len(rows) else rows
