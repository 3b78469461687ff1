"""Which rows a penalty is taken of, where it is not the batch's own: streams with their pools."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fairsk.neural._base import TrainingRows
from fairsk.utils import Groups

# The groups of a stream's pools are looked up row by row.
LOOK_UP = -1


@dataclass(frozen=True)
class PenaltyStream:
    """Pools that one comparison draws from.

    Attributes
    ----------
    name : str
        Of the comparison, for the history; empty where there is only one.
    pools : tuple of ndarray of int
        Row numbers, none empty.
    groups : tuple of int
        The group that the rows of each pool stand for.
    masses : tuple of float
        How many rows each pool speaks for: the weight of all that is drawn from it.
    families : tuple of slice
        As in `PenaltyBatch`.
    weight : float
        What the comparison counts.
    pair : tuple of int or None
        Family and group, for one group against the others.
    """

    name: str
    pools: tuple[np.ndarray, ...]
    groups: tuple[int, ...]
    masses: tuple[float, ...]
    families: tuple[slice, ...]
    weight: float = 1.0
    pair: tuple[int, int] | None = None


def slices_of(groups: Groups) -> tuple[slice, ...]:
    """The groups of each family."""
    stops = np.cumsum([len(family) for family in groups.families]).tolist()
    return tuple(slice(a, b) for a, b in zip([0, *stops[:-1]], stops, strict=True))


def strata_of(y: np.ndarray, target: str) -> np.ndarray:
    """Label of each row for stratifying: the class, or whether any task is positive.

    Examples
    --------
    >>> strata_of(np.array([[0, 0], [0, 1], [1, 1]]), "multilabel").tolist()
    [0, 1, 1]
    """
    if target == "regression":
        return np.zeros(len(y), dtype=np.intp)
    return (y.max(axis=1) if y.ndim == 2 else y).astype(np.intp)


def plain_stream(groups: Groups, rows: np.ndarray) -> PenaltyStream:
    """All rows in one pool."""
    return PenaltyStream("", (rows,), (LOOK_UP,), (float(len(rows)),), slices_of(groups))


def stratified_stream(groups: Groups, strata: np.ndarray, rows: np.ndarray) -> PenaltyStream:
    """A pool for every cell of group and label that has rows.

    Weights undo the stratification, so that each group's mean is that of its rows.

    Examples
    --------
    >>> from fairsk.utils import GroupEncoder
    >>> groups = GroupEncoder().fit_transform(list("aabbb"))
    >>> stream = stratified_stream(groups, np.array([0, 1, 0, 0, 0]), np.arange(5))
    >>> [pool.tolist() for pool in stream.pools], stream.groups, stream.masses
    ([[0], [1], [2, 3, 4]], (0, 0, 1), (1.0, 1.0, 3.0))
    """
    pools, of_group = [], []
    for column in groups.flat_codes()[rows].T:
        for group in np.unique(column[column >= 0]):
            for stratum in np.unique(strata):
                pool = rows[(column == group) & (strata[rows] == stratum)]
                if len(pool):
                    pools.append(pool)
                    of_group.append(int(group))
    masses = tuple(float(len(pool)) for pool in pools)
    return PenaltyStream("", tuple(pools), tuple(of_group), masses, slices_of(groups))


def interleaved_streams(
    groups: Groups, strata: np.ndarray, rows: np.ndarray
) -> list[PenaltyStream]:
    """For every group one stream that compares it with the others of its family.

    Two groups make one comparison. The comparisons of a family together weigh one.
    """
    streams = []
    for f, family in enumerate(groups.families):
        codes = groups.codes[rows, f]
        chosen = range(1) if len(family) == 2 else range(len(family))
        for g in chosen:
            sides = [
                rows[inside & (strata[rows] == stratum)]
                for inside in (codes == g, (codes >= 0) & (codes != g))
                for stratum in np.unique(strata)
            ]
            # A pool must have rows: an empty one borrows some, which weigh nothing.
            pools = tuple(side if len(side) else rows[:1] for side in sides)
            half = len(sides) // 2
            streams.append(
                PenaltyStream(
                    _name_of(groups, f, g),
                    pools,
                    (0,) * half + (1,) * half,
                    tuple(float(len(side)) for side in sides),
                    (slice(0, 2),),
                    weight=1 / len(chosen),
                    pair=(f, g),
                )
            )
    return streams


def _name_of(groups: Groups, family: int, group: int) -> str:
    label = groups.families[family].labels[group]
    if len(groups.families) == 1:
        return label
    return f"{', '.join(groups.families[family].features)}={label}"


def known_share(train: TrainingRows, groups: Groups) -> np.ndarray:
    """Share of the rows trained on, by weight, whose group is known in each family."""
    rows = slice(None) if train.trained is None else train.trained
    known = groups.codes[rows] >= 0
    weight = None if train.weight is None else train.weight[rows]
    return np.average(known, axis=0, weights=weight)


# ------------------------------------------------------------------- the holdout


def with_holdout(
    rows: TrainingRows, groups: Groups, strata: np.ndarray, fraction: float, seed: int
) -> TrainingRows:
    """Set rows apart for the penalty, the same fraction of every cell of groups and label.

    Rows of unknown group stay with the task loss: the penalty has no use for them.

    Returns
    -------
    TrainingRows
        The same rows, and which of them are trained on: all but the holdout.

    Raises
    ------
    ValueError
        If a group would have no row in the holdout.
    """
    rng = np.random.RandomState(seed)
    known = rng.permutation(np.flatnonzero(groups.known))
    # Along the cells of all features and the label, every so many rows one: each cell gives its
    # share up to a row, however many small cells several features make.
    known = known[np.lexsort([strata[known], *groups.codes[known].T])]
    steps = np.floor(fraction * np.arange(len(known) + 1) + rng.random_sample())
    is_held_out = np.zeros(len(strata), dtype=bool)
    is_held_out[known[np.diff(steps) > 0]] = True
    # Rare groups are represented on either side.
    for column in groups.codes.T:
        cell = np.where(column >= 0, column * (strata.max() + 1) + strata, -1)
        for number in np.unique(cell[cell >= 0]):
            members = rng.permutation(np.flatnonzero(cell == number))
            if len(members) > 1 and not is_held_out[members].any():
                is_held_out[members[0]] = True
            elif is_held_out[members].all():
                is_held_out[members[0]] = False
    holdout = np.flatnonzero(is_held_out)
    _check_holdout(groups, holdout, fraction)
    return replace(rows, trained=np.flatnonzero(~is_held_out))


def _check_holdout(groups: Groups, holdout: np.ndarray, fraction: float) -> None:
    flat, held_out = groups.flat_codes(), groups.flat_codes()[holdout]
    absent = [g for g in range(groups.n_groups) if not (held_out == g).any()]
    if absent:
        sizes = [f"{groups.labels[g]!r} ({int((flat == g).sum())} rows)" for g in absent]
        raise ValueError(
            f"The holdout of holdout_fraction={fraction:g} has no row of the groups "
            f"{', '.join(sizes[:10])}{' and more' if len(sizes) > 10 else ''}: a group needs two "
            f"rows of one label, one to train on and one for the penalty. Merge rare groups, or "
            f"set penalty_on='train'."
        )


def rows_per_pool(stream: PenaltyStream, n_rows: int) -> int:
    """Rows of each pool in a batch of about ``n_rows``."""
    n = max(1, n_rows // len(stream.pools))
    # One pool never repeats a row within a batch; of several, small ones may have to.
    return min(n, len(stream.pools[0])) if len(stream.pools) == 1 else n
