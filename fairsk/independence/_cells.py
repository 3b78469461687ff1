"""Few distinct given rows and few classes: permutations through the table of counts.

Rows whose densities agree are exchangeable, so that only the number N[c, y] of targets of class y
in cell c matters. Equation (7) of FairICP gives tables with the observed margins

    P(N) proportional to the product over c, y of q(y | c)^N[c, y] / N[c, y]!

and, given the table, every matching of rows within cells and classes is equally likely. Of two
cells or two classes the table is a set of binomials conditioned on their sum, drawn exactly. Of
more, no exact draw of moderate cost is known: a Gibbs chain over the table redraws two classes (or
two cells) at a time, in all cells at once, given the rest. One such step does what the pairwise
chain does in many, and its cost does not depend on the number of rows.
"""

from __future__ import annotations

import numpy as np

from fairsk.independence._exact import conditional_binomials

# Beyond this many table entries the row-wise chain is as fast.
MAX_ENTRIES = 2048
MAX_CELLS = 256


def find_cells(table: np.ndarray) -> np.ndarray | None:
    """Group rows that are equal.

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_columns)
        Without NaN.

    Returns
    -------
    ndarray of int of shape (n_rows,) or None
        The group of each row; None where there are more than `MAX_CELLS`, or the table of groups
        and columns has more than `MAX_ENTRIES` entries.
    """
    limit = min(MAX_CELLS, MAX_ENTRIES // max(table.shape[1], 1))
    found = distinct_rows(table, limit)
    return None if found is None else found[1]


def distinct_rows(table: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Where distinct rows are, if there are few.

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_columns)
        Without NaN.
    limit : int
        How many distinct rows are few.

    Returns
    -------
    first : ndarray of int of shape (n_distinct,)
        A row for each of the distinct ones.
    inverse : ndarray of int of shape (n_rows,)
        ``table[first][inverse]`` is ``table``.
    """
    # Distinct rows among the first ones settle most continuous tables without sorting them all.
    head = table[: 4 * limit]
    if len(head) > limit and len(np.unique(head, axis=0)) > limit:
        return None
    # Sorting one number a row is far faster than sorting rows. Equal rows have equal numbers; that
    # different rows have different ones is checked, and None is a right answer where they do not.
    finite = np.where(np.isfinite(table), table, -1e6)
    key = finite @ np.random.default_rng(0).standard_normal(table.shape[1])
    _, first, inverse = np.unique(np.round(key, 9), return_index=True, return_inverse=True)
    if len(first) <= limit and np.array_equal(table[first][inverse], table):
        return first, inverse
    return None


class ClassMatching:
    """Targets grouped by class, to be matched at random with rows that ask for a class."""

    def __init__(self, codes: np.ndarray, n_classes: int) -> None:
        self.sizes = np.bincount(codes, minlength=n_classes)
        # A narrow type sorts by radix.
        self._narrow = np.uint8 if n_classes <= 256 else np.int64
        self._members = np.argsort(codes.astype(self._narrow), kind="stable")
        self._bounds = np.concatenate([[0], np.cumsum(self.sizes)])

    def shuffled(self, rng: np.random.Generator) -> np.ndarray:
        """Targets sorted by class, in random order within a class."""
        members = self._members.copy()
        for start, stop in zip(self._bounds[:-1], self._bounds[1:], strict=True):
            rng.shuffle(members[start:stop])
        return members

    def match(self, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A uniformly random target of the wanted class for each row.

        Parameters
        ----------
        wanted : ndarray of int of shape (n,)
            Class codes; each class as often as it occurs among the targets.

        Returns
        -------
        ndarray of int of shape (n,)
            A permutation.
        """
        permutation = np.empty(len(wanted), dtype=np.int64)
        rows = np.argsort(wanted.astype(self._narrow), kind="stable")
        permutation[rows] = self.shuffled(rng)
        return permutation


class CellTables:
    """Permutations drawn through the table of counts of cells and classes.

    Parameters
    ----------
    log_probabilities : ndarray of shape (n_cells, n_classes)
        Of each class in each cell.
    cells, codes : ndarray of int of shape (n,)
        Cell of each given row, class of each target.
    """

    def __init__(self, log_probabilities: np.ndarray, cells: np.ndarray, codes: np.ndarray) -> None:
        n_cells, n_classes = log_probabilities.shape
        self.is_exact = min(n_cells, n_classes) <= 2
        self.observed = np.zeros((n_cells, n_classes), dtype=np.int64)
        np.add.at(self.observed, (cells, codes), 1)
        self._log_probabilities = log_probabilities
        self._rows = ClassMatching(cells, n_cells)
        self._targets = ClassMatching(codes, n_classes)

    def run(self, counts: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        """Draw a table, exactly where `is_exact`, otherwise by Gibbs steps from ``counts``."""
        # The shorter side is paired, so that a step redraws longer columns.
        flip = counts.shape[0] < counts.shape[1]
        counts = (counts.T if flip else counts).copy()
        table = self._log_probabilities.T if flip else self._log_probabilities
        n_columns = counts.shape[1]
        for _ in range(1 if self.is_exact else n_steps):
            columns = rng.permutation(n_columns)
            for first, second in zip(columns[0::2], columns[1::2], strict=False):
                _redraw_columns(counts, table, int(first), int(second), rng)
        return counts.T if flip else counts

    def permutation(self, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A uniformly random permutation with the table of counts; shape (n,)."""
        n_cells, n_classes = counts.shape
        # Rows sorted by cell ask for classes in order: random rows of the cell, so any of them.
        wanted = np.repeat(np.tile(np.arange(n_classes), n_cells), counts.ravel())
        permutation = np.empty(len(wanted), dtype=np.int64)
        permutation[self._rows.shuffled(rng)] = self._targets.match(wanted, rng)
        return permutation


def _redraw_columns(
    counts: np.ndarray, table: np.ndarray, first: int, second: int, rng: np.random.Generator
) -> None:
    """Redraw two columns of the counts given their sums by row and in total."""
    sizes = counts[:, first] + counts[:, second]
    used = np.flatnonzero(sizes)
    if not len(used):
        return
    with np.errstate(invalid="ignore"):
        logits = table[used, first] - table[used, second]
    drawn = conditional_binomials(sizes[used], logits, int(counts[used, first].sum()), rng)
    counts[used, first], counts[used, second] = drawn, sizes[used] - drawn
