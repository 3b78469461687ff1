"""Bootstrap of rates without touching a row: resampling of confusion cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairsk.notions import CellMasses
from fairsk.utils import Groups

# Resampled cells held at once: 32 MB of counts, however many replicates and groups there are.
MAX_CELLS_AT_ONCE = 4_000_000

RandomState = int | np.random.Generator | np.random.RandomState | None


def resample_cells(
    y: np.ndarray,
    decision: np.ndarray,
    groups: Groups,
    *,
    sample_weight: np.ndarray | None = None,
    n_resamples: int = 10_000,
    random_state: RandomState = 0,
) -> CellMasses:
    """Masses of the cells in bootstrap resamples of the rows.

    Every rate depends on the rows only through the masses of the cells (label, group), and the
    counts of a row bootstrap's cells are multinomial: drawing them directly is the same bootstrap
    at a cost that does not grow with the rows.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels, 0 or 1.
    decision : ndarray of shape (n_samples,)
        Decisions in [0, 1].
    groups : Groups
    sample_weight : ndarray of shape (n_samples,), optional
    n_resamples : int, default=10_000
    random_state : int, Generator, RandomState or None, default=0

    Returns
    -------
    CellMasses
        Arrays of shape (n_resamples, 2, n_groups), in the units of `cell_masses`.

    See Also
    --------
    ConfusionCells : how it is done, and where it is an approximation.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.metrics import resample_cells
    >>> from fairsk.utils import GroupEncoder
    >>> groups = GroupEncoder().fit_transform(np.repeat(["a", "b"], 500))
    >>> y = np.tile([0, 1], 500)
    >>> masses = resample_cells(y, y, groups, n_resamples=2000)
    >>> masses.total.shape
    (2000, 2, 2)
    >>> share = masses.total[:, 1, 0] / 1000
    >>> float(share.std())  # sqrt(p (1 - p) / n) = 0.0137
    0.014
    """
    cells = ConfusionCells.from_rows(y, decision, groups, sample_weight=sample_weight)
    return cells.resample(n_resamples, random_state)


@dataclass(frozen=True)
class ConfusionCells:
    r"""What a bootstrap of the rows depends on, by joint cell (label, group in every family).

    Rows of unknown group have cells of their own: they take part in the resampling and in no rate.

    *Unit weights and 0/1 decisions*: the counts of the cells (label, decision, group) are drawn
    from their multinomial distribution. This is the row bootstrap, exactly.

    *Other weights w or fractional decisions h*: the counts N of the cells (label, group) are
    drawn from their multinomial, then the sums of (w, w h) over N rows of a cell from the normal
    distribution with N times the cell's mean and covariance. It has the row bootstrap's first two
    moments; for cells of a few rows the shape is an approximation.

    *Small cells*: a rate of exactly 0 or 1 never varies in a bootstrap, so a cell with two
    positive decisions out of two would seem known without error. For the resampling only, each
    nonempty cell (label, group) gets a pseudo-row of weight 1/2 for either decision (Jeffreys's
    prior). The resamples are then centred on `centre`, not on the masses of the sample. With
    several families of groups, a joint cell gets its share of its groups' pseudo-rows (the
    largest one, where its groups disagree), so that every group has at least this much.

    Attributes
    ----------
    count : ndarray of shape (2, n_cells)
        Rows of positive weight of each label and joint group.
    weight : ndarray of shape (2, n_cells)
        Mean weight w.
    selected : ndarray of shape (2, n_cells)
        Mean of w h, smoothed.
    covariance : ndarray of shape (3, 2, n_cells) or None
        Var(w), Cov(w, w h), Var(w h), smoothed; None where weights are equal and decisions 0 or 1,
        and the resampling is exact.
    lightest : float
        The smallest weight.
    membership : ndarray of shape (n_cells, n_groups)
        1 where a joint cell is part of a group.
    family_of : ndarray of int of shape (n_groups,)
    """

    count: np.ndarray
    weight: np.ndarray
    selected: np.ndarray
    covariance: np.ndarray | None
    lightest: float
    membership: np.ndarray
    family_of: np.ndarray

    @classmethod
    def from_rows(
        cls,
        y: np.ndarray,
        decision: np.ndarray,
        groups: Groups,
        *,
        sample_weight: np.ndarray | None = None,
    ) -> ConfusionCells:
        """Tabulate a sample; arguments as in `resample_cells`."""
        y, h = np.asarray(y), np.asarray(decision, dtype=float)
        w = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        if not w.all():
            # A row without weight is no observation: it must not count as one in a resample.
            rows = np.flatnonzero(w)
            y, h, w, groups = y[rows], h[rows], w[rows], groups.take(rows)
        joint, membership = _joint_cells(groups)
        cell = y.astype(np.intp) * len(membership) + joint
        count = _totals(cell, None, membership)
        pseudo = _pseudo_counts(count, membership)
        rows = np.where(count > 0, count + pseudo, 1)
        weight = _totals(cell, w, membership) / np.maximum(count, 1)
        selected = (_totals(cell, w * h, membership) + pseudo / 2 * weight) / rows
        covariance = None
        if w.min() < w.max() or not np.all((h == 0) | (h == 1)):
            deviation = w - weight.ravel()[cell]
            half = pseudo / 2 * weight**2
            cross = (_totals(cell, w * w * h, membership) + half) / rows - weight * selected
            square = (_totals(cell, (w * h) ** 2, membership) + half) / rows - selected**2
            spread = _totals(cell, deviation**2, membership) / rows
            covariance = np.stack([spread, cross, square])
        family_of = groups.family_of
        return cls(count, weight, selected, covariance, float(w.min()), membership, family_of)

    @property
    def n_rows(self) -> int:
        return int(self.count.sum())

    @property
    def group_count(self) -> np.ndarray:
        """Rows of each label and group, of shape (2, n_groups)."""
        return self.count @ self.membership

    @property
    def centre(self) -> CellMasses:
        """Smoothed masses, which the resamples scatter around."""
        return self._masses(self.count * self.selected, self.count * self.weight)

    @property
    def mean_weight(self) -> np.ndarray:
        """Mean weight of the rows of each label and group, of shape (2, n_groups)."""
        return self.centre.total / np.maximum(self.group_count, 1)

    def resample(self, n_resamples: int, random_state: RandomState = 0) -> CellMasses:
        """Masses of ``n_resamples`` resamples, with that leading axis."""
        draw = self._draw_exactly if self.covariance is None else self._draw_sums
        generator = _generator(random_state)
        step = max(1, MAX_CELLS_AT_ONCE // (4 * len(self.membership)))
        shape = (n_resamples, 2, self.membership.shape[1])
        selected, total = np.empty(shape), np.empty(shape)
        for start in range(0, n_resamples, step):
            chunk = slice(start, min(start + step, n_resamples))
            masses = self._masses(*draw(chunk.stop - start, generator))
            selected[chunk], total[chunk] = masses.selected, masses.total
        return CellMasses(selected, total, self.family_of)

    def with_pseudo_rows(self, masses: CellMasses) -> CellMasses:
        """Half a row of either decision more in each nonempty (label, group).

        Keeps rates of small resamples off 0 and 1, where logarithms and logits are infinite.
        """
        half = self.mean_weight / 2
        return CellMasses(masses.selected + half, masses.total + 2 * half, masses.family_of)

    def _masses(self, selected: np.ndarray, total: np.ndarray) -> CellMasses:
        return CellMasses(selected @ self.membership, total @ self.membership, self.family_of)

    def _draw_exactly(self, size: int, generator: Generator) -> tuple[np.ndarray, np.ndarray]:
        rate = self.selected / self.lightest
        cells = np.stack([self.count * (1 - rate), self.count * rate])
        counts = _multinomial(generator, self.n_rows, cells, size) * self.lightest
        return counts[:, 1], counts.sum(axis=1)

    def _draw_sums(self, size: int, generator: Generator) -> tuple[np.ndarray, np.ndarray]:
        assert self.covariance is not None
        count = _multinomial(generator, self.n_rows, self.count, size)
        root = np.sqrt(count)
        spread, cross, square = self.covariance
        scale = np.sqrt(spread)
        slope = np.divide(cross, scale, out=np.zeros_like(cross), where=scale > 0)
        rest = np.sqrt(np.maximum(square - slope**2, 0))
        first, second = generator.standard_normal((2, *count.shape))
        total = count * self.weight + root * scale * first
        selected = count * self.selected + root * (slope * first + rest * second)
        # The normal distribution may leave what sums of positive weights can be.
        total = np.maximum(total, count * self.lightest)
        return np.clip(selected, 0, total), total


Generator = np.random.Generator | np.random.RandomState


def _generator(random_state: RandomState) -> Generator:
    if isinstance(random_state, np.random.Generator | np.random.RandomState):
        return random_state
    return np.random.default_rng(random_state)


def _totals(cell: np.ndarray, values: np.ndarray | None, membership: np.ndarray) -> np.ndarray:
    """Sums (counts, where there are no values) over the rows of each cell."""
    n_cells = len(membership)
    return np.bincount(cell, values, 2 * n_cells).reshape(2, n_cells).astype(float)


def _multinomial(generator: Generator, n: int, cells: np.ndarray, size: int) -> np.ndarray:
    """Counts of n rows over cells in proportion, of shape (size, *cells.shape)."""
    counts = generator.multinomial(n, (cells / cells.sum()).ravel(), size=size)
    return counts.reshape(size, *cells.shape).astype(float)


def _joint_cells(groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """Each row's joint group over all families, and the groups that it is part of."""
    flat = groups.flat_codes()
    joint = np.zeros(len(flat), dtype=np.intp)
    for codes in flat.T:
        # Renumbered after every family, so that many families cannot overflow the code.
        joint = np.unique(joint * (groups.n_groups + 1) + codes + 1, return_inverse=True)[1]
    example = np.zeros(joint.max() + 1, dtype=np.intp)
    example[joint] = np.arange(len(joint))
    membership = np.zeros((len(example), groups.n_groups + 1))
    np.put_along_axis(membership, flat[example], 1, axis=1)  # unknown is the last column
    return joint, membership[:, :-1]


def _pseudo_counts(count: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """Pseudo-rows of each cell: its largest share of a group that it is part of."""
    in_group = count @ membership
    share = count[:, :, None] * membership / np.maximum(in_group, 1)[:, None, :]
    return share.max(axis=2)
