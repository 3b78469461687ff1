"""Multipliers chosen on the observed labels themselves, near those of a program."""

from __future__ import annotations

import numpy as np
from scipy.optimize import differential_evolution

from fairsk.base._tuning import TuningSample
from fairsk.notions import CellMasses, cell_masses
from fairsk.solvers import RuleProblem

# Vectors tried in a generation, for each multiplier, and generations.
POPULATION = 8
GENERATIONS = 60
# Standard deviation of the first generation, in sizes of the multipliers; no multiplier counts
# as smaller than this share of the largest. All stay within so many standard deviations.
SPREAD = 0.4
LEAST_SIZE = 0.5
REACH = 4.0
# Operations beyond which generations are left out, and how few of them are worth while.
MOST_WORK = 2e9
LEAST_GENERATIONS = 40
# Added to what a rule misses the bound by: more than any accuracy.
OUTSIDE = 10.0


def accuracy_gains(problem: RuleProblem, sample: TuningSample) -> np.ndarray:
    """What selecting each row adds to the observed accuracy (weighted by costs)."""
    gains = np.where(sample.y == 1, 1 - problem.cost, -problem.cost)
    return 2 * sample.sample_weight * gains


def observed_accuracy(problem: RuleProblem, sample: TuningSample, decision: np.ndarray) -> float:
    """Observed share of right decisions, weighted by the costs."""
    gains = accuracy_gains(problem, sample)
    # Those of the negatives are what rejecting everybody has, and selecting one loses.
    return float(gains @ decision - gains[sample.y == 0].sum())


class LabelObjective:
    """How rules of given multipliers do on the observed labels, many at a time.

    Parameters
    ----------
    problem : RuleProblem
    sample : TuningSample
    bound : float
    """

    def __init__(self, problem: RuleProblem, sample: TuningSample, bound: float) -> None:
        self._problem = problem
        y, weight, joint = sample.y, sample.sample_weight, sample.joint
        members = sample.groups.indicators().toarray().T
        self._total = cell_masses(y, np.zeros(len(y)), sample.groups, sample_weight=weight).total
        self._constraints = problem.constraints(self._total, bound)
        expected = problem.constraints(joint.masses(weight, len(problem.family_of)), bound)
        units = np.eye(expected.n_multipliers)
        # The ratio measure prices a positive multiplier by another row than a negative one.
        prices = [
            joint.weighted(expected.cell_costs(sign * unit)) for sign in (1, -1) for unit in units
        ]
        gains = accuracy_gains(problem, sample)
        # Single precision: hundreds of rules are compared, and the one chosen is judged again.
        self._prices = np.array(prices, dtype=np.float32)
        self._scores = (joint.posterior - problem.cost).astype(np.float32)
        # Masses of the cells (0, a), (1, a), and the accuracy.
        sums = np.vstack([members * (weight * (y == 0)), members * (weight * (y == 1)), gains])
        self._sums = sums.astype(np.float32)
        self._rejecting_all = observed_accuracy(problem, sample, np.zeros(len(y)))
        # Kept between calls: to ask for this memory anew takes longer than to fill it.
        self._payments = np.empty((0, len(y)), dtype=np.float32)
        self._selects = np.empty((0, len(y)), dtype=bool)

    def __call__(self, multipliers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Worst excess over the limits, and accuracy, of deterministic rules.

        Parameters
        ----------
        multipliers : ndarray of shape (n_rules, n_multipliers)

        Returns
        -------
        excess, accuracy : ndarray of shape (n_rules,)
        """
        split = np.hstack([multipliers.clip(min=0), (-multipliers).clip(min=0)])
        if len(split) > len(self._payments):
            self._payments, self._selects = (
                np.empty((len(split), kept.shape[1]), kept.dtype)
                for kept in (self._payments, self._selects)
            )
        payments, selects = self._payments[: len(split)], self._selects[: len(split)]
        np.matmul(split.astype(np.float32), self._prices, out=payments)
        np.greater(self._scores, payments, out=selects)
        np.copyto(payments, selects)
        sums = payments @ self._sums.T
        selected = sums[:, :-1].astype(np.float64).reshape(len(multipliers), 2, -1)
        total = np.broadcast_to(self._total, selected.shape)
        masses = CellMasses(selected, total, self._problem.family_of)
        values = self._constraints.values(self._problem.notion, masses)
        low, high = self._constraints.limits
        excess = np.maximum(values - high, low - values).max(axis=1)
        return excess, self._rejecting_all + sums[:, -1]


def evolve_multipliers(
    problem: RuleProblem,
    sample: TuningSample,
    bound: float,
    centre: np.ndarray,
    *,
    allowed: float,
    random_state: int | None,
) -> np.ndarray | None:
    """Multipliers near given ones that do best on the observed labels.

    The optimal rules have a multiplier for each constraint (Theorems 1 and 2 of the paper), and
    where the probabilities are off, no correction of the program need lead to the best of them.

    Parameters
    ----------
    problem : RuleProblem
    sample : TuningSample
    bound : float
    centre : ndarray of shape (n_multipliers,)
    allowed : float
        Excess over the bound that is not held against a rule.
    random_state : int, optional

    Returns
    -------
    ndarray of shape (n_multipliers,) or None
        None where none of the given ones is active, and on samples on which the search would take
        long: these are large enough for corrections to do.
    """
    n_generations = _generations(len(sample.y), len(centre))
    if not centre.any() or n_generations < LEAST_GENERATIONS:
        return None
    objective = LabelObjective(problem, sample, bound)

    def loss(columns: np.ndarray) -> np.ndarray:
        excess, accuracy = objective(columns.T)
        return np.where(excess <= allowed, -accuracy, OUTSIDE + excess)

    rng = np.random.default_rng(0 if random_state is None else random_state)
    size = np.maximum(np.abs(centre), LEAST_SIZE * np.abs(centre).max())
    first = centre + SPREAD * size * rng.normal(size=(POPULATION * len(centre), len(centre)))
    first[0] = centre
    low, high = centre - REACH * SPREAD * size, centre + REACH * SPREAD * size
    found = differential_evolution(
        loss,
        np.column_stack([low, high]),
        init=first.clip(low, high),
        maxiter=n_generations,
        tol=0.0,
        polish=False,
        updating="deferred",
        vectorized=True,
        seed=rng,
    )
    return found.x


def _generations(n_rows: int, n_multipliers: int) -> int:
    work = POPULATION * n_multipliers * n_rows * (n_multipliers + 10)
    return min(GENERATIONS, int(MOST_WORK // max(work, 1)))
