"""What must be equal: one definition of each fairness notion.

A decision h in [0, 1], a label y and a group a give the selection masses
m[y, a] = E[h 1{Y = y, A = a}]. Every notion is a fixed linear map of them: a rate per group, and a
contrast between rates. The same object computes the metric, the rows of the solver's constraints
and the direction of the Bayes rule.
"""

from fairsk.notions._constraints import LinearConstraints, linear_constraints
from fairsk.notions._empty import (
    UndefinedFairnessWarning,
    apply_empty_rule,
    check_empty,
    comparable_groups,
    report_undefined,
)
from fairsk.notions._masses import CellMasses, cell_masses
from fairsk.notions._notion import CONTRASTS, MEASURES, FairnessNotion, GroupRate, check_measure
from fairsk.notions._registry import get_notion, list_notions

__all__ = [
    "CONTRASTS",
    "MEASURES",
    "CellMasses",
    "FairnessNotion",
    "GroupRate",
    "LinearConstraints",
    "UndefinedFairnessWarning",
    "apply_empty_rule",
    "cell_masses",
    "check_empty",
    "check_measure",
    "comparable_groups",
    "get_notion",
    "linear_constraints",
    "list_notions",
    "report_undefined",
]
