"""The named notions; strings are resolved here and nowhere else."""

from __future__ import annotations

from fairsk.notions._notion import FairnessNotion, GroupRate

SELECTION_RATE = GroupRate("selection_rate", gain=(1, 1), offset=(0, 0), condition=(1, 1))
TRUE_POSITIVE_RATE = GroupRate("true_positive_rate", gain=(0, 1), offset=(0, 0), condition=(0, 1))
FALSE_POSITIVE_RATE = GroupRate("false_positive_rate", gain=(1, 0), offset=(0, 0), condition=(1, 0))
ERROR_RATE = GroupRate("error_rate", gain=(1, -1), offset=(0, 1), condition=(1, 1))

_NOTIONS = (
    FairnessNotion(
        "demographic_parity",
        (SELECTION_RATE,),
        "the same rate of positive decisions in every group",
    ),
    FairnessNotion(
        "equal_opportunity",
        (TRUE_POSITIVE_RATE,),
        "the same true positive rate in every group",
    ),
    FairnessNotion(
        "predictive_equality",
        (FALSE_POSITIVE_RATE,),
        "the same false positive rate in every group",
    ),
    FairnessNotion(
        "accuracy_parity",
        (ERROR_RATE,),
        "the same error rate in every group; ratios are ratios of errors, not of accuracies",
    ),
    FairnessNotion(
        "equalized_odds",
        (TRUE_POSITIVE_RATE, FALSE_POSITIVE_RATE),
        "the same true and false positive rates in every group",
    ),
    FairnessNotion(
        "overall_equal_opportunity",
        (FALSE_POSITIVE_RATE,),
        "the same rate of positive system decisions among rows that are negative on every task "
        "(MinDiff-IO, definition 2.1)",
        multilabel=True,
    ),
)
_BY_NAME = {notion.name: notion for notion in _NOTIONS}


def list_notions() -> list[str]:
    """Names of the fairness notions.

    Examples
    --------
    >>> list_notions()[:2]
    ['demographic_parity', 'equal_opportunity']
    """
    return list(_BY_NAME)


def get_notion(notion: str | FairnessNotion) -> FairnessNotion:
    """Resolve the name of a fairness notion.

    Parameters
    ----------
    notion : str or FairnessNotion
        A name from `list_notions`, or a notion, which is returned as it is.

    Returns
    -------
    FairnessNotion

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.

    Examples
    --------
    >>> get_notion("equalized_odds").rate_names
    ('true_positive_rate', 'false_positive_rate')
    """
    if isinstance(notion, FairnessNotion):
        return notion
    if notion not in _BY_NAME:
        raise ValueError(
            f"notion must be one of {list_notions()} or a FairnessNotion, got {notion!r}."
        )
    return _BY_NAME[notion]
