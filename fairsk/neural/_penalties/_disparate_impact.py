"""Ratios of the groups' mean probabilities."""

from __future__ import annotations

from typing import Any

from fairsk.neural._penalties._base import GroupMeanPenalty
from fairsk.neural._penalties._batch import PenaltyBatch
from fairsk.neural._penalties._values import GroupValues

# Guards the ratio of two probabilities that are zero in single precision: they are equal.
TINY = 1e-12


class DisparateImpact(GroupMeanPenalty):
    r"""One minus the smaller ratio of mean probabilities (equation 6, plus one).

    :math:`1 - \min(\bar p_{a+} / \bar p_{a-}, \bar p_{a-} / \bar p_{a+})`: one is added to the
    paper's :math:`di`, so that parity is zero; the gradient is the same. For more than two groups
    the smallest over the largest, or with ``contrast="population"`` the mean over groups of the
    smaller ratio to the overall probability.

    There is a kink at parity with the full gradient on either side, so that training jitters about
    it; and the gradient grows as the smaller probability falls.
    """

    name = "disparate_impact"
    targets = ("binary", "multilabel")

    def rows(self, batch: PenaltyBatch) -> tuple[Any, Any]:
        return batch.probabilities, None

    def compare(self, means: GroupValues) -> Any:
        if self.contrast == "groups":
            return (1 - _ratio(means.smallest(), means.largest())).sum()
        apart = means.values.new_zeros(())
        for place, family in enumerate(means.families):
            values, overall = means.values[family], means.overall[place]
            ratios = _ratio(values.minimum(overall), values.maximum(overall))
            present = means.present[family] & means.comparable[place]
            shares = present.to(values.dtype) / present.sum(0).clamp(min=1)
            apart = apart + ((1 - ratios) * shares).sum()
        return apart


def _ratio(smaller: Any, larger: Any) -> Any:
    return (smaller + TINY) / (larger + TINY)
