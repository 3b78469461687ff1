"""The plug-in problem: the best decision rule under linear constraints on its moments."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fairsk.solvers._atoms import group_identical, hash_rows
from fairsk.solvers._constraints import Constraints
from fairsk.solvers._driver import Driver
from fairsk.solvers._outcome import Outcome
from fairsk.solvers._path import Path
from fairsk.solvers._relaxation import smallest_relaxation
from fairsk.solvers._rows import Rows
from fairsk.solvers._solution import (
    CompactDecision,
    InfeasibleConstraintsError,
    PlugInSolution,
)
from fairsk.solvers._validation import check_constraints, check_rows

__all__ = ["InfeasibleConstraintsError", "PlugInSolution", "solve_plug_in", "solve_plug_in_path"]

# What an exact solution promises; more than this is a ConvergenceWarning.
_GAP = 1e-9
_VIOLATION = 1e-9
# Rows hashed to learn whether the data repeat themselves, and the share of distinct
# rows below which merging all repeated rows first pays.
_PROBE = 20_000
_DISTINCT = 0.7


def solve_plug_in(
    scores,
    basis,
    contrasts,
    lower,
    upper,
    *,
    sample_weight=None,
    initial_multipliers=None,
    exact: bool = True,
    find_relaxation: bool = True,
    random_state: int = 0,
) -> PlugInSolution:
    r"""Find the decision rule of largest mean score under bounds on its moments.

    With weights :math:`w_i` that sum to 1, solve

    .. math:: \max_{0 \le f \le 1} \sum_i w_i s_i f_i \quad\text{subject to}\quad
       \mathrm{lower} \le M \sum_i w_i f_i U_i \le \mathrm{upper}.

    Every group fairness notion that is linear in the rule has this form [1]_: the score
    is the gain in accuracy from accepting, the basis holds the group rates' densities
    and the contrasts compare them. The dual has one multiplier a constraint,

    .. math:: \min_\lambda \sum_i w_i \max(0, s_i - U_i \cdot M^\top \lambda)
       + \mathrm{upper} \cdot \lambda^+ - \mathrm{lower} \cdot \lambda^-,

    and the optimal rule accepts where :math:`s_i > U_i \cdot M^\top \lambda`; only
    rows on equality are decided by chance, of which there are no more distinct ones
    than active constraints.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Gain from accepting each row.
    basis : array-like or sparse matrix of shape (n, q)
        Contribution of each row to each moment. float32 is kept and used in blocks.
    contrasts : array-like of shape (r, q)
        The matrix M.
    lower, upper : array-like of shape (r,) or float
        Bounds, in units of the moments; ``-inf`` and ``inf`` leave a side open.
    sample_weight : array-like of shape (n,), optional
        Weights, zero or more; they are normalised.
    initial_multipliers : array-like of shape (r,), optional
        Multipliers of a similar problem, to save time.
    exact : bool, default=True
        If False, stop at the smoothed dual and return the rule
        ``scores > basis @ contrasts.T @ multipliers`` as it is, with its gap and its
        violation measured, for which no promise is made.
    find_relaxation : bool, default=True
        Whether an error for constraints that cannot be met tells the smallest relaxation,
        which can take many times as long as a solution. Otherwise that is NaN.
    random_state : int, default=0
        Seed of the samples from which large problems are started.

    Returns
    -------
    PlugInSolution

    Raises
    ------
    ValueError
        If shapes disagree, or values are not finite or weights negative.
    InfeasibleConstraintsError
        If no rule meets the constraints; it carries the smallest relaxation.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If an exact solution was asked for and gap or violation exceeds 1e-9.

    Notes
    -----
    A semismooth Newton method minimises the dual, smoothed by a quadratic term in the
    rule, first on random samples and then on the rows near the boundary; small linear
    programs (HiGHS) lead from there to an exact vertex. All rows are visited two to six
    times. When a constraint leaves a whole set of rows on equality, which of them are
    accepted is arbitrary: the rule is optimal, but not the only one.

    References
    ----------
    .. [1] "Bayes-Optimal Fair Classification with Multiple Sensitive Features",
       Theorem 1.

    Examples
    --------
    Two groups, the second with lower scores; acceptance rates within 0.1:

    >>> import numpy as np
    >>> from fairsk.solvers import solve_plug_in
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(2, size=1000)
    >>> scores = rng.normal(-0.5 * group)
    >>> basis = np.eye(2)[group] / np.bincount(group) * 1000
    >>> solution = solve_plug_in(scores, basis, [[1, -1]], -0.1, 0.1)
    >>> rates = solution.moments
    >>> print(f"{rates[0] - rates[1]:.6f}")
    0.100000
    >>> solution.n_randomized, bool(solution.gap < 1e-9)
    (1, True)
    """
    rows = _Problem(scores, basis, sample_weight, random_state)
    limits = check_constraints(contrasts, lower, upper, rows.n_basis)
    start = _check_start(initial_multipliers, limits)
    search = partial(rows.driver.solve, limits, start, exact)
    return rows.solve(limits, search, exact, find_relaxation)


def solve_plug_in_path(
    scores,
    basis,
    contrasts,
    bounds: Sequence[tuple],
    *,
    sample_weight=None,
    exact: bool = True,
    random_state: int = 0,
) -> list[PlugInSolution]:
    """Solve the plug-in problem for a sequence of bounds, each from the one before.

    Parameters
    ----------
    scores, basis, contrasts
        As in :func:`solve_plug_in`.
    bounds : sequence of (lower, upper) or of (contrasts, lower, upper)
        One entry a problem, best in order of tightness. Where the contrasts depend on
        the level, as for ratios, an entry brings its own, which must all have as many
        rows; ``contrasts`` may then be None.
    sample_weight, exact, random_state
        As in :func:`solve_plug_in`.

    Returns
    -------
    list of PlugInSolution
        In the order of ``bounds``.

    Raises
    ------
    ValueError, InfeasibleConstraintsError
        As in :func:`solve_plug_in`; the message tells which entry failed.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.solvers import solve_plug_in_path
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(2, size=1000)
    >>> scores = rng.normal(-0.5 * group)
    >>> basis = np.eye(2)[group] / np.bincount(group) * 1000
    >>> levels = [(-t, t) for t in (0.0, 0.1, 0.2)]
    >>> path = solve_plug_in_path(scores, basis, [[1, -1]], levels)
    >>> print([round(solution.objective, 3) for solution in path])
    [0.265, 0.274, 0.276]
    """
    rows = _Problem(scores, basis, sample_weight, random_state)
    problems = []
    for number, entry in enumerate(bounds):
        if len(entry) not in (2, 3):
            raise ValueError(
                f"bounds[{number}] must be (lower, upper) or (contrasts, lower, upper), "
                f"got {len(entry)} items."
            )
        matrix = contrasts if len(entry) == 2 else entry[0]
        problems.append(check_constraints(matrix, *entry[-2:], rows.n_basis))
    path, solutions = Path(rows.driver, problems, exact), []
    for number, limits in enumerate(problems):
        try:
            solutions.append(rows.solve(limits, partial(path.solve, number), exact))
        except InfeasibleConstraintsError as error:
            message = f"bounds[{number}]: {error}"
            raise InfeasibleConstraintsError(message, error.smallest_relaxation) from error
    return solutions


def _check_start(multipliers, limits: Constraints) -> np.ndarray | None:
    if multipliers is None:
        return None
    multipliers = np.asarray(multipliers, dtype=np.float64)
    if multipliers.shape != limits.lower.shape or not np.isfinite(multipliers).all():
        raise ValueError(
            f"initial_multipliers must be finite and have shape {limits.lower.shape}, "
            f"got shape {multipliers.shape}."
        )
    return multipliers


class _Problem:
    """Checked rows, identical ones merged when many are, and their driver."""

    def __init__(self, scores, basis, sample_weight, random_state):
        scores, basis, weights = check_rows(scores, basis, sample_weight)
        self.n_basis = basis.shape[1]
        self.atom = None
        if self._repeats(scores, basis, random_state):
            first, self.atom = group_identical(scores, basis)
            weights = np.bincount(self.atom, weights=weights, minlength=len(first))
            scores, basis = scores[first], basis[first]
        self.driver = Driver(Rows(scores, basis, weights), random_state)

    @staticmethod
    def _repeats(scores, basis, random_state) -> bool:
        n = len(scores)
        if n > _PROBE:
            rng = np.random.default_rng(random_state)
            probe = np.unique(rng.integers(n, size=_PROBE))
            scores, basis = scores[probe], basis[probe]
        hashes = hash_rows(scores, basis)
        return len(np.unique(hashes)) < _DISTINCT * len(hashes)

    def solve(
        self,
        limits: Constraints,
        search: Callable[[], Outcome],
        exact: bool,
        find_relaxation: bool = True,
    ) -> PlugInSolution:
        if (limits.lower > limits.upper).any():
            self._check_feasible(limits, find_relaxation)
        outcome = search()
        if outcome.infeasible or (exact and outcome.violation > _VIOLATION):
            # Where the dual proves nothing, the relaxation is what tells.
            self._check_feasible(limits, find_relaxation or not outcome.infeasible)
        solution = self._solution(outcome)
        if exact and not solution.exact:
            warnings.warn(
                f"The plug-in problem was solved to a relative duality gap of "
                f"{solution.gap:.2e} and a violation of {solution.violation:.2e} only "
                f"(aim: {_GAP:.0e} and {_VIOLATION:.0e}).",
                ConvergenceWarning,
                stacklevel=3,
            )
        return solution

    def _check_feasible(self, limits: Constraints, find_relaxation: bool) -> None:
        """Raise, unless the smallest relaxation says that the constraints can be met after all."""
        if not find_relaxation:
            raise InfeasibleConstraintsError("No decision rule meets the constraints.", np.nan)
        relaxation = smallest_relaxation(self.driver.rows, limits)
        if relaxation > _VIOLATION:
            raise InfeasibleConstraintsError(
                f"No decision rule meets the constraints: all bounds would have to be "
                f"relaxed by {relaxation:.6g} at least.",
                relaxation,
            )

    def _solution(self, outcome: Outcome) -> PlugInSolution:
        compact = CompactDecision(outcome.decision, outcome.reductions, self.atom)
        randomized = compact.randomized()
        return PlugInSolution(
            multipliers=outcome.multipliers,
            objective=outcome.objective,
            dual_bound=outcome.dual_bound,
            gap=outcome.gap,
            violation=outcome.violation,
            n_randomized=len(randomized),
            randomized=randomized,
            moments=outcome.moments,
            n_rounds=outcome.n_rounds,
            exact=bool(abs(outcome.gap) <= _GAP and outcome.violation <= _VIOLATION),
            compact=compact,
        )
