"""Any fairness notion of the toolkit as a penalty on probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fairsk.neural._penalties._base import GroupMeanPenalty
from fairsk.neural._penalties._batch import PenaltyBatch
from fairsk.notions import FairnessNotion, get_notion


class NotionPenalty(GroupMeanPenalty):
    r"""The disparities of a `FairnessNotion`, with probabilities in the place of decisions.

    A rate of the notion is :math:`\sum_y (g_y m_{ya} + o_y p_{ya}) / \sum_y c_y p_{ya}`, linear in
    the selection masses :math:`m_{ya} = E[h 1\{Y = y, A = a\}]`: the mean of :math:`g_Y h + o_Y`
    over rows that count :math:`c_Y`. With :math:`h` the probability it is differentiable. Of
    equalized odds this is equation 4 with the denominators that the rates have.

    Parameters
    ----------
    notion : str or FairnessNotion
    contrast
        As in `GroupMeanPenalty`.
    """

    targets = ("binary", "multilabel")

    def __init__(self, notion: str | FairnessNotion, contrast: str = "groups") -> None:
        super().__init__(contrast)
        self.notion = get_notion(notion)
        self.name = self.notion.name

    def rows(self, batch: PenaltyBatch) -> tuple[Any, Any]:
        h, y = batch.probabilities, batch.labels
        if self.notion.multilabel:
            h, y = h.amax(1, keepdim=True), y.amax(1, keepdim=True)
        rates = self.notion.rates
        condition = _of_label([rate.condition for rate in rates], y)
        numerator = _of_label([rate.gain for rate in rates], y) * h[:, None]
        numerator = numerator + _of_label([rate.offset for rate in rates], y)
        # Rows that do not count may have any value.
        values = numerator / condition.where(condition > 0, condition.new_ones(()))
        return values.flatten(1), condition.flatten(1)


def _of_label(coefficients: Sequence[tuple[float, float]], y: Any) -> Any:
    """The coefficients of each row's label, of shape (n_samples, n_rates, n_tasks)."""
    table = y.new_tensor(coefficients)
    negative, positive = table[:, :1], table[:, 1:]
    return negative + (positive - negative) * y[:, None]
