"""Penalties on unfair outputs: one file each, and one entry in `PENALTIES`."""

from __future__ import annotations

from typing import Any

from fairsk.neural._penalties._auc_gap import AUCGap
from fairsk.neural._penalties._base import FairnessPenalty, FunctionPenalty, GroupMeanPenalty
from fairsk.neural._penalties._batch import TARGETS, PenaltyBatch
from fairsk.neural._penalties._disparate_impact import DisparateImpact
from fairsk.neural._penalties._equal_loss import EqualLoss
from fairsk.neural._penalties._equalized_odds import EqualizedOddsAsPublished
from fairsk.neural._penalties._min_max import MinMax
from fairsk.neural._penalties._notion import NotionPenalty
from fairsk.neural._penalties._values import Families, GroupValues, RunningMeans
from fairsk.notions import FairnessNotion, list_notions

__all__ = [
    "TARGETS",
    "FairnessPenalty",
    "Families",
    "GroupMeanPenalty",
    "GroupValues",
    "NotionPenalty",
    "PenaltyBatch",
    "RunningMeans",
    "get_penalty",
    "list_penalties",
]

PENALTIES: tuple[Any, ...] = (
    EqualLoss,
    EqualizedOddsAsPublished,
    DisparateImpact,
    MinMax,
    AUCGap,
)
_BY_NAME = {penalty.name: penalty for penalty in PENALTIES}


def list_penalties(target: str | None = None) -> list[str]:
    """Names of the penalties: those of their own, and the fairness notions.

    Parameters
    ----------
    target : {"binary", "multiclass", "multilabel", "regression"}, optional
        Only those that are defined for this kind of y.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from fairsk.neural import list_penalties
    >>> list_penalties("regression")
    ['equal_loss', 'min_max']
    """
    names = [*_BY_NAME, *(name for name in list_notions() if name not in _BY_NAME)]
    return [n for n in names if target is None or target in get_penalty(n).targets]


def get_penalty(penalty: Any, contrast: str = "groups") -> FairnessPenalty:
    """Resolve a penalty given by name, notion, object or function.

    Parameters
    ----------
    penalty : str, FairnessNotion, FairnessPenalty or callable
    contrast : {"groups", "population"}, default="groups"
        For a name or a notion; an object has its own.

    Returns
    -------
    FairnessPenalty

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    TypeError
        If it is none of these.
    """
    if isinstance(penalty, str):
        if penalty in _BY_NAME:
            return _BY_NAME[penalty](contrast)
        if penalty in list_notions():
            return NotionPenalty(penalty, contrast)
        raise ValueError(
            f"penalty must be one of {list_penalties()}, a FairnessNotion, a FairnessPenalty or a "
            f"callable from a PenaltyBatch to a scalar tensor, got {penalty!r}."
        )
    if isinstance(penalty, FairnessNotion):
        return NotionPenalty(penalty, contrast)
    if isinstance(penalty, FairnessPenalty):
        return penalty
    if callable(penalty) and not isinstance(penalty, type):
        return FunctionPenalty(penalty)
    given = f"the class {penalty.__name__}; give an instance" if isinstance(penalty, type) else None
    raise TypeError(
        f"penalty must be a name of {list_penalties()}, a FairnessNotion, a FairnessPenalty or a "
        f"callable from a PenaltyBatch to a scalar tensor, got {given or type(penalty).__name__}."
    )
