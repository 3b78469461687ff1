"""Exact constrained optimisation: the plug-in problem behind group-fair decision rules."""

from fairsk.solvers._bayes_rule import (
    BayesRule,
    RuleProblem,
    rule_from_multipliers,
    solve_bayes_rule,
)
from fairsk.solvers._joint import JointProbabilities
from fairsk.solvers._least_change import LeastChange, solve_least_change
from fairsk.solvers._plug_in import (
    InfeasibleConstraintsError,
    PlugInSolution,
    solve_plug_in,
    solve_plug_in_path,
)

__all__ = [
    "BayesRule",
    "InfeasibleConstraintsError",
    "JointProbabilities",
    "LeastChange",
    "PlugInSolution",
    "RuleProblem",
    "rule_from_multipliers",
    "solve_bayes_rule",
    "solve_least_change",
    "solve_plug_in",
    "solve_plug_in_path",
]
