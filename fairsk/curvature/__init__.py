"""How a trained model answers to its training rows: derivatives, curvature and inverse solves.

A binary classifier is seen through its score z(x), the log-odds, at its trained parameters. Sums of
score gradients, derivatives of scores along directions, and second-order terms are all that a
family of models writes; losses, Gauss-Newton and Hessian products, damped inverse solves and the
influence of rows are built on them, once. torch is imported when a network is looked at.
"""

from fairsk.curvature._influence import influence_of_rows
from fairsk.curvature._linear import LinearScoreModel
from fairsk.curvature._objective import TrainingObjective
from fairsk.curvature._score_model import Linearization, ScoreModel
from fairsk.curvature._solve import (
    DampedSolution,
    SingularCurvatureError,
    check_solver_settings,
    solve_damped,
)
from fairsk.curvature._trained import (
    DIFFERENTIABLE,
    TrainedModel,
    check_agreement,
    check_differentiable,
    trained_model,
)

__all__ = [
    "DIFFERENTIABLE",
    "DampedSolution",
    "LinearScoreModel",
    "Linearization",
    "ScoreModel",
    "SingularCurvatureError",
    "TrainedModel",
    "TrainingObjective",
    "check_agreement",
    "check_differentiable",
    "check_solver_settings",
    "influence_of_rows",
    "solve_damped",
    "trained_model",
]
