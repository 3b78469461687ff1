"""Which rows MinDiff compares: pools of each group, and the weights of its regularisers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

# Below this many rows on a side, a condition on all tasks at once is worth a warning if a
# condition on each task alone has twice as many.
FEW_ROWS = 100


class FewRowsWarning(UserWarning):
    """A group has few or no rows to be compared with the others."""


@dataclass(frozen=True)
class GroupPools:
    """The two pools of a group, or of a group and a task.

    Attributes
    ----------
    group, task : int
        The task is -1 for all of them.
    inside, outside : ndarray of int
        Row numbers.
    """

    group: int
    task: int
    inside: np.ndarray
    outside: np.ndarray


def make_pools(
    members: Sequence[np.ndarray], counts: np.ndarray, *, by_task: bool
) -> list[GroupPools]:
    """Pools of every group; some may be empty.

    Parameters
    ----------
    members : sequence of ndarray of shape (n_samples,)
        For each group 1 inside, 0 outside, -1 unknown.
    counts : ndarray of bool of shape (n_samples, n_conditions)
        Rows that some rate is conditioned on, for all tasks or for each.
    by_task : bool
        Whether each task has pools of its own; otherwise rows are taken that count for any.

    Examples
    --------
    >>> pools = make_pools([np.array([1, 0, -1, 0])], np.ones((4, 1), dtype=bool), by_task=False)
    >>> pools[0].inside.tolist(), pools[0].outside.tolist()
    ([0], [1, 3])
    """
    pools = []
    for m, member in enumerate(members):
        for task in range(counts.shape[1]) if by_task else (-1,):
            rows = counts[:, task] if by_task else counts.any(axis=1)
            inside, outside = (np.flatnonzero((member == side) & rows) for side in (1, 0))
            pools.append(GroupPools(m, task, inside, outside))
    return pools


@dataclass(frozen=True)
class PoolNames:
    """What pools are called in messages: groups, tasks and the condition."""

    groups: Sequence[str]
    tasks: Sequence[str]
    condition: str
    overcondition: bool

    def key(self, pool: GroupPools) -> Any:
        group = self.groups[pool.group]
        return group if pool.task < 0 else (group, self.tasks[pool.task])

    def of(self, pool: GroupPools) -> str:
        task = f", task {self.tasks[pool.task]!r}" if pool.task >= 0 else ""
        return f"group {self.groups[pool.group]!r}{task}"

    def where(self) -> str:
        sign = self.condition[:-1]
        if len(self.tasks) == 1:
            return f"with a {sign} label"
        if not self.overcondition:
            return f"{sign} on the task"
        return "negative on every task" if sign == "negative" else "positive on some task"


def usable_pools(pools: Sequence[GroupPools], names: PoolNames, *, n_rows: int) -> list[GroupPools]:
    """Those with rows on both sides; says which are left out, and which repeat rows in a batch.

    Raises
    ------
    ValueError
        If no pool is usable.

    Warns
    -----
    FewRowsWarning
    """
    kept = [pool for pool in pools if len(pool.inside) and len(pool.outside)]
    gone = [pool for pool in pools if not (len(pool.inside) and len(pool.outside))]
    advice = ""
    if names.overcondition and len(names.tasks) > 1:
        advice = f" With overcondition=False each task takes its own {names.condition}."
    lacking = _some(f"{'outside' if len(p.inside) else 'inside'} of {names.of(p)}" for p in gone)
    if not kept:
        raise ValueError(
            f"Nothing can be remediated: there are no rows {names.where()} {lacking}.{advice}"
        )
    if gone:
        warnings.warn(
            f"There are no rows {names.where()} {lacking}: left out of the remediation.{advice}",
            FewRowsWarning,
            stacklevel=7,
        )
    short = [p for p in kept if min(len(p.inside), len(p.outside)) < n_rows]
    if short:
        sizes = _some(
            f"{names.of(p)} ({len(p.inside)} inside, {len(p.outside)} outside)" for p in short
        )
        warnings.warn(
            f"A batch compares {n_rows} rows of either side, but there are fewer rows "
            f"{names.where()} of {sizes}: they are repeated within the batch. Lower group_share "
            f"or batch_size.",
            FewRowsWarning,
            stacklevel=7,
        )
    return kept


def warn_of_few_rows(
    pools: Sequence[GroupPools], of_any_task: Sequence[GroupPools], names: PoolNames
) -> None:
    """Say where the condition on all tasks at once leaves few rows, and one task's leaves many.

    Warns
    -----
    FewRowsWarning
    """
    few = []
    for pool, wide in zip(pools, of_any_task, strict=True):
        for side in ("inside", "outside"):
            n, n_wide = len(getattr(pool, side)), len(getattr(wide, side))
            if n < FEW_ROWS and n_wide >= 2 * n:
                few.append(f"{n} (of {n_wide}) {side} of {names.of(pool)}")
    if few:
        warnings.warn(
            f"Overconditioning leaves few rows {names.where()}: {_some(few)}. The comparison sees "
            f"the same rows again and again; with overcondition=False each task takes its own "
            f"{names.condition} from the same stream, at the same cost.",
            FewRowsWarning,
            stacklevel=7,
        )


def _some(texts: Iterable[str]) -> str:
    """The first ten, and how many there are beside."""
    all_texts = list(texts)
    more = f" and {len(all_texts) - 10} more" if len(all_texts) > 10 else ""
    return ", ".join(all_texts[:10]) + more


def regulariser_weights(
    min_diff_weight: Any,
    *,
    groups: Sequence[str],
    parts: Sequence[tuple[int, ...]],
    tasks: Sequence[str],
) -> np.ndarray:
    """The weight of every regulariser, of shape (n_groups, n_tasks).

    Parameters
    ----------
    min_diff_weight : float, mapping or array-like
        As in `MinDiffIOClassifier`.
    groups, tasks : sequence of str
    parts : sequence of tuple of int
        The base groups of each group; an intersection has the smallest weight of its parts,
        unless it is named.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, a name is unknown, or the shape does not fit.

    Examples
    --------
    >>> names = {"groups": ["a", "b"], "parts": [(0,), (1,)], "tasks": ["toxic", "insult"]}
    >>> regulariser_weights({"b": 3.0}, **names)
    array([[1., 1.],
           [3., 3.]])
    """
    n_base = sum(len(part) == 1 for part in parts)
    shape = (n_base, len(tasks))
    if isinstance(min_diff_weight, Mapping):
        return _named_weights(min_diff_weight, groups, parts, tasks, shape)
    weights = _as_floats(min_diff_weight)
    if weights.ndim == 1:
        raise ValueError(
            f"min_diff_weight has {len(weights)} values, of which it is not clear whether they "
            f"belong to groups or to tasks. Give a dict by name, or an array of shape "
            f"(n_groups, n_tasks), (n_groups, 1) or (1, n_tasks)."
        )
    if weights.ndim == 2 and any(
        a not in (1, b) for a, b in zip(weights.shape, shape, strict=True)
    ):
        raise ValueError(
            f"min_diff_weight has shape {weights.shape}; there are {n_base} groups "
            f"{list(groups[:n_base])} and {len(tasks)} tasks {list(tasks)}, so it must be "
            f"{shape}, or 1 in place of either."
        )
    return _extended(np.broadcast_to(weights, shape), parts)


def check_min_diff_weight(value: Any) -> None:
    """Refuse weights that are negative or no numbers, before groups and tasks are known."""
    values = list(value.values()) if isinstance(value, Mapping) else value
    weights = _as_floats(values)
    if weights.ndim > 2:
        raise ValueError(f"min_diff_weight has {weights.ndim} dimensions; at most 2 make sense.")


def _named_weights(
    given: Mapping[str, Any],
    groups: Sequence[str],
    parts: Sequence[tuple[int, ...]],
    tasks: Sequence[str],
    shape: tuple[int, int],
) -> np.ndarray:
    weights, named = np.ones(shape), {}
    for name, value in given.items():
        number = float(_as_floats(value))
        if name in tasks and name in groups:
            raise ValueError(
                f"min_diff_weight names {name!r}, which is a group and a task. Give an array of "
                f"shape (n_groups, n_tasks)."
            )
        if name in tasks:
            weights[:, tasks.index(name)] *= number
        elif name in groups:
            named[groups.index(name)] = number
        else:
            raise ValueError(
                f"min_diff_weight names {name!r}; there are the groups {list(groups)} and the "
                f"tasks {list(tasks)}."
            )
    for m, number in named.items():
        if m < shape[0]:
            weights[m] *= number
    extended, of_tasks = _extended(weights, parts), np.ones(shape[1])
    for name, value in given.items():
        if name in tasks:
            of_tasks[tasks.index(name)] = float(value)
    for m, number in named.items():
        if m >= shape[0]:
            extended[m] = number * of_tasks
    return extended


def _extended(base: np.ndarray, parts: Sequence[tuple[int, ...]]) -> np.ndarray:
    """With a row for each intersection: the smallest of its parts."""
    return np.stack([base[list(part)].min(axis=0) for part in parts])


def _as_floats(value: Any) -> np.ndarray:
    try:
        weights = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        weights = np.array(np.nan)
    if isinstance(value, bool) or not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError(
            f"min_diff_weight must be at least 0 and finite (a number, a dict by group or task, "
            f"or an array of shape (n_groups, n_tasks)), got {value!r}."
        )
    return weights


def check_share(name: str, value: Any) -> None:
    """Refuse a share that is not in (0, 1]."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) <= 1:
        raise ValueError(f"{name} must be a share in (0, 1], got {value!r}.")
