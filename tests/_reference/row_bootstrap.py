"""The bootstrap of rows that the resampling of cells stands for."""

from __future__ import annotations

import numpy as np

from fairsk.notions import CellMasses, cell_masses
from fairsk.utils import Groups


def row_bootstrap(
    y: np.ndarray,
    decision: np.ndarray,
    groups: Groups,
    *,
    sample_weight: np.ndarray | None = None,
    n_resamples: int,
    random_state: int = 0,
) -> CellMasses:
    """Draw n rows with replacement and tabulate them, again and again."""
    rng = np.random.default_rng(random_state)
    selected, total = [], []
    for _ in range(n_resamples):
        rows = rng.integers(0, len(y), len(y))
        masses = cell_masses(
            y[rows],
            decision[rows],
            groups.take(rows),
            sample_weight=None if sample_weight is None else sample_weight[rows],
        )
        selected.append(masses.selected)
        total.append(masses.total)
    return CellMasses(np.array(selected), np.array(total), groups.family_of)
