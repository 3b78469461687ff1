"""The Pareto front of accuracy against unfairness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.utils import html_table, import_optional


def split_scores(cv_results: Mapping[str, Any], name: str) -> np.ndarray:
    """Test scores of every candidate and split, of shape (n_candidates, n_splits).

    Raises ValueError if the search recorded no such score; the message lists those it did.
    """
    key = name.removeprefix("mean_").removeprefix("test_")
    n_splits = sum(
        column.startswith("split") and column.partition("_")[2] == f"test_{key}"
        for column in cv_results
    )
    if not n_splits:
        known = [c.removeprefix("mean_test_") for c in cv_results if c.startswith("mean_test_")]
        raise ValueError(f"cv_results_ has no test score {name!r}; it has {known}.")
    splits = [np.asarray(cv_results[f"split{i}_test_{key}"], float) for i in range(n_splits)]
    return np.column_stack(splits)


def as_violation(scores: np.ndarray, name: str, measure: str) -> np.ndarray:
    """Violations, 0 at parity, from a fairness scorer's values, which are greater when better.

    Raises ValueError if the values cannot be those of a scorer of this measure.
    """
    if measure not in ("difference", "ratio"):
        raise ValueError(f"measure must be 'difference' or 'ratio', got {measure!r}.")
    if measure == "ratio":
        if np.any((scores < 0) | (scores > 1 + 1e-12)):
            raise ValueError(
                f"Scores of {name!r} are not ratios in [0, 1]. If its scorer is a negated "
                f"difference, use measure='difference' (a tolerance, not a ratio_bound)."
            )
        return 1 - scores
    if np.any(scores > 0):
        raise ValueError(
            f"Scores of {name!r} are positive, but a difference's scorer is negated so that "
            f"greater is better. If it is a ratio use measure='ratio' (a ratio_bound, not a "
            f"tolerance); if it is a plain metric make it greater_is_better=False."
        )
    return -scores


def standard_error(scores: np.ndarray) -> np.ndarray:
    """Standard error of the mean over splits, of shape (n_candidates,); NaN for one split."""
    n_splits = scores.shape[1]
    if n_splits < 2:
        return np.full(len(scores), np.nan)
    return scores.std(axis=1, ddof=1) / np.sqrt(n_splits)


def is_efficient(objective: np.ndarray, violation: np.ndarray) -> np.ndarray:
    """Which points no other point dominates; equal points are both kept. O(n log n).

    A point dominates another if it is at least as good on both axes and better on one.

    Examples
    --------
    >>> is_efficient(np.array([0.9, 0.8, 0.7]), np.array([0.2, 0.1, 0.1])).tolist()
    [True, True, False]
    """
    levels, group = np.unique(violation, return_inverse=True)
    best = np.full(len(levels), -np.inf)
    np.maximum.at(best, group, objective)
    # The best objective among strictly smaller violations.
    before = np.concatenate([[-np.inf], np.maximum.accumulate(best)[:-1]])
    return (objective == best[group]) & (objective > before[group])


def chord_gain(objective: np.ndarray, violation: np.ndarray) -> np.ndarray:
    """Height of points over the chord between the front's ends, both axes scaled to [0, 1].

    It decreases with violation and increases with the objective, so its largest value lies on the
    front: the knee, from which either way one gives up more than one gains.
    """
    on = is_efficient(objective, violation)

    def scaled(values: np.ndarray) -> np.ndarray:
        low, high = values[on].min(), values[on].max()
        return (values - low) / (high - low) if high > low else np.zeros(len(values))

    return scaled(objective) - scaled(violation)


@dataclass(frozen=True, eq=False)
class ParetoFront:
    """Candidates no other candidate beats on both accuracy and fairness.

    Build it by `from_cv_results` or `from_arrays`.

    Attributes
    ----------
    objective : ndarray of shape (n_candidates,)
        Greater is better.
    violation : ndarray of shape (n_candidates,)
        0 is parity; 1 - ratio for ratios.
    objective_error, violation_error : ndarray of shape (n_candidates,)
        Standard errors over the splits; NaN where unknown.
    params : tuple of dict
        Parameters of each candidate.
    indices : ndarray of int of shape (n_front,)
        Candidates on the front, by increasing violation (hence by increasing objective).
    n_undefined : int
        Candidates left out because a score was NaN.

    Examples
    --------
    >>> front = ParetoFront.from_arrays([0.90, 0.85, 0.80, 0.70], [0.20, 0.05, 0.10, 0.0])
    >>> front.indices.tolist()
    [3, 1, 0]
    >>> front.within(0.1)
    1
    >>> front.hypervolume(objective=0.5, violation=0.3)
    0.1025
    """

    objective: np.ndarray
    violation: np.ndarray
    objective_error: np.ndarray
    violation_error: np.ndarray
    params: tuple[dict[str, Any], ...]
    objective_name: str = "objective"
    violation_name: str = "violation"
    indices: np.ndarray = field(init=False)
    n_undefined: int = field(init=False)

    def __post_init__(self) -> None:
        valid = np.flatnonzero(np.isfinite(self.objective) & np.isfinite(self.violation))
        if not len(valid):
            raise ValueError("No candidate has both scores: all are NaN or infinite.")
        on = valid[is_efficient(self.objective[valid], self.violation[valid])]
        on = on[np.argsort(self.violation[on], kind="stable")]
        object.__setattr__(self, "indices", on)
        object.__setattr__(self, "n_undefined", len(self.objective) - len(valid))

    @classmethod
    def from_arrays(
        cls,
        objective: ArrayLike,
        violation: ArrayLike,
        *,
        params: Sequence[dict[str, Any]] | None = None,
        objective_error: ArrayLike | None = None,
        violation_error: ArrayLike | None = None,
    ) -> ParetoFront:
        """The front of points given as arrays of shape (n_candidates,), with an unsigned violation.

        Raises ValueError if lengths differ or no point is finite.
        """
        unknown = np.full(len(np.asarray(objective)), np.nan)
        given = (objective, violation, objective_error, violation_error)
        columns = [np.asarray(unknown if v is None else v, dtype=float) for v in given]
        params = ({},) * len(unknown) if params is None else tuple(params)
        lengths = [*map(len, columns), len(params)]
        if len(set(lengths)) > 1:
            raise ValueError(f"Objectives, violations, errors and params have lengths {lengths}.")
        return cls(columns[0], columns[1], columns[2], columns[3], params)

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        objective: str,
        violation: str,
        measure: str = "difference",
    ) -> ParetoFront:
        """The front of a search's candidates.

        Parameters
        ----------
        cv_results : dict
            The search's ``cv_results_``; of a halving search too, whose early rounds use few rows.
        objective, violation : str
            Keys of the scoring dict.
        measure : {"difference", "ratio"}, default="difference"
            Whether the violation's scores are negated differences or ratios.

        Raises
        ------
        ValueError
            If a score is missing, NaN everywhere, or not of the measure.
        """
        gains = split_scores(cv_results, objective)
        losses = as_violation(split_scores(cv_results, violation), violation, measure)
        return cls(
            gains.mean(axis=1),
            losses.mean(axis=1),
            standard_error(gains),
            standard_error(losses),
            tuple(cv_results["params"]),
            objective,
            violation,
        )

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def points(self) -> np.ndarray:
        """(objective, violation) of the candidates on the front, of shape (n_front, 2)."""
        return np.column_stack([self.objective[self.indices], self.violation[self.indices]])

    def knee(self) -> int:
        """The candidate farthest above the line between the front's ends, axes scaled to [0, 1]."""
        return int(self.indices[np.argmax(chord_gain(*self.points.T))])

    def within(self, tolerance: float) -> int:
        """The candidate of greatest objective among those of violation at most `tolerance`.

        Raises
        ------
        ValueError
            If there is none; the message says the least violation.
        """
        allowed = self.indices[self.violation[self.indices] <= tolerance]
        if not len(allowed):
            raise ValueError(
                f"No candidate has a violation within {tolerance}; the least is "
                f"{self.violation[self.indices[0]]:.4g} (candidate {self.indices[0]})."
            )
        return int(allowed[-1])

    def dominates(self, objective: Any, violation: Any) -> np.ndarray:
        """Whether a candidate is at least as good as each given point on both and better on one.

        The points are floats or arrays of shape (n_points,); so is the answer.
        """
        gain = self.points[:, 0] - np.asarray(objective, dtype=float)[..., None]
        loss = self.points[:, 1] - np.asarray(violation, dtype=float)[..., None]
        return ((gain >= 0) & (loss <= 0) & ((gain > 0) | (loss < 0))).any(axis=-1)

    def hypervolume(self, *, objective: float, violation: float) -> float:
        """Area between the front and a reference point that is worse on both axes.

        Parameters
        ----------
        objective, violation : float
            The reference: an objective too low and a violation too high to accept. Points beyond
            it count nothing.
        """
        points = self.points[(self.points[:, 0] > objective) & (self.points[:, 1] < violation)]
        widths = np.diff(np.append(points[:, 1], violation))
        return float(widths @ (points[:, 0] - objective))

    def to_frame(self) -> Any:
        """The front as a pandas DataFrame, indexed by candidate."""
        pandas = import_optional("pandas", extra="quickstart", purpose="ParetoFront.to_frame")
        at = self.indices
        columns = {
            self.objective_name: self.objective[at],
            f"{self.objective_name} std error": self.objective_error[at],
            self._violation_label: self.violation[at],
            f"{self._violation_label} std error": self.violation_error[at],
            "params": [self.params[i] for i in at],
        }
        return pandas.DataFrame(columns, index=pandas.Index(at, name="candidate"))

    @property
    def _violation_label(self) -> str:
        name = self.violation_name
        return name if "violation" in name else f"{name} violation"

    def _summary(self) -> str:
        left_out = f", {self.n_undefined} undefined left out" if self.n_undefined else ""
        return f"ParetoFront: {len(self)} of {len(self.objective)} candidates{left_out}"

    def __repr__(self) -> str:
        header = f"{'candidate':>9}  {self._violation_label:>24}  objective  params"
        rows = [
            f"{i:>9}  {self.violation[i]:>24.4f}  {self.objective[i]:>9.4f}  {self.params[i]}"
            for i in self.indices
        ]
        return "\n".join([f"{self._summary()} (objective: {self.objective_name})", header, *rows])

    def _repr_html_(self) -> str:
        head = ("candidate", self._violation_label, self.objective_name, "params")
        rows = [
            (str(i), f"{self.violation[i]:.4f}", f"{self.objective[i]:.4f}", str(self.params[i]))
            for i in self.indices
        ]
        return html_table(self._summary(), head, rows)
