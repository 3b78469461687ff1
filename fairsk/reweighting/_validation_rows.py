"""The rows on which the gaps are measured, and whether they are others than the training rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from fairsk.utils import Groups


class SharedRowsWarning(UserWarning):
    """Validation rows are training rows too."""


@dataclass(frozen=True)
class ValidationRows:
    """Rows of known group that the gaps are measured on.

    Attributes
    ----------
    X : array-like of shape (n_samples, n_features)
    y : ndarray of int of shape (n_samples,)
    groups : Groups
    sample_weight : ndarray of shape (n_samples,) or None
    """

    X: Any
    y: np.ndarray
    groups: Groups
    sample_weight: np.ndarray | None = None


def check_validation_given(X_val: Any, y_val: Any, sensitive_features: Any) -> None:
    """Refuse half a validation set, and groups of the training rows beside it.

    Raises
    ------
    ValueError
    """
    if X_val is None or y_val is None:
        raise ValueError("Validation rows need both X_val and y_val.")
    if sensitive_features is not None:
        raise ValueError(
            "Groups were given for the training rows and for validation rows. Gaps are measured "
            "on one of them: drop sensitive_features, or X_val and y_val."
        )


def encode_validation(y_val: Any, classes: np.ndarray) -> np.ndarray:
    """Labels of the validation rows as 0/1 codes.

    Raises
    ------
    ValueError
        If a label is not one of the two classes.
    """
    labels = np.asarray(y_val).ravel()
    unknown = np.unique(labels[~np.isin(labels, classes)]).tolist()
    if unknown:
        raise ValueError(
            f"y_val has {unknown[0]!r}, which is not a class of y: {classes.tolist()}."
        )
    return np.searchsorted(classes, labels)


def hold_out(y: np.ndarray, groups: Groups, fraction: float, random_state: Any) -> np.ndarray:
    """Rows to hold out of training: a share of each cell of label and group, at least one.

    Parameters
    ----------
    y : ndarray of int of shape (n_samples,)
    groups : Groups
        Rows of unknown group are not held out.
    fraction : float in (0, 1)
    random_state : int or None

    Returns
    -------
    ndarray of bool of shape (n_samples,)
    """
    rng = np.random.RandomState(random_state)
    known = np.flatnonzero(groups.known)
    cells = np.unique(np.column_stack([y, groups.codes])[known], axis=0, return_inverse=True)[1]
    held = np.zeros(len(y), dtype=bool)
    for cell in np.unique(cells):
        rows = known[cells.ravel() == cell]
        held[rng.permutation(rows)[: int(np.ceil(fraction * len(rows)))]] = True
    return held


def warn_of_shared_rows(X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray) -> None:
    """Warn where more validation rows are found in training than chance repeats would explain.

    Rows of few discrete features repeat by chance. How often is told by the training rows: the
    share of them that have an equal among the others.

    Examples
    --------
    >>> X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    >>> warn_of_shared_rows(X, y, X[:5] + 0.5, y[:5])
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_shared_rows(X, y, X[:5], y[:5])
    >>> str(caught[0].message)[:49]
    '5 of the 5 validation rows are training rows too,'
    """
    counts: dict[bytes, int] = {}
    for row in _row_bytes(X, y):
        counts[row] = counts.get(row, 0) + 1
    n_val = len(y_val)
    shared = sum(row in counts for row in _row_bytes(X_val, y_val))
    repeated = sum(count for count in counts.values() if count > 1) / len(y)
    # Four standard errors of a share of so many rows.
    if shared / n_val > repeated + 4 * np.sqrt(max(repeated, 1 / n_val) / n_val) or (
        shared == n_val and repeated < 0.5
    ):
        warnings.warn(
            f"{shared} of the {n_val} validation rows are training rows too, which chance repeats "
            f"do not explain. A model fits its training rows, so that gaps measured on them are "
            f"too small; hold validation rows out of training.",
            SharedRowsWarning,
            stacklevel=4,
        )


def _row_bytes(X: Any, y: np.ndarray) -> Iterator[bytes]:
    """Each row and its label as bytes that are equal for equal rows."""
    if sparse.issparse(X):
        matrix = sparse.csr_array(X)
        matrix.sum_duplicates()
        ends = matrix.indptr
        for i, label in enumerate(y):
            part = slice(ends[i], ends[i + 1])
            values = matrix.data[part].astype(np.float64)
            yield (
                matrix.indices[part].astype(np.int64).tobytes() + values.tobytes() + bytes([label])
            )
        return
    array = np.asarray(X)
    if array.dtype.kind in "iufb":
        for row, label in zip(array, y, strict=True):
            # -0.0 and 0.0 are equal numbers of other bytes.
            yield (row.astype(np.float64) + 0.0).tobytes() + bytes([label])
        return
    for row, label in zip(array, y, strict=True):
        yield repr([str(value) for value in np.ravel(row)]).encode() + bytes([label])
