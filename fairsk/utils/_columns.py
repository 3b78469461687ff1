"""Columns of X by name or position, in any container."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
from sklearn.utils import _safe_indexing


def column_positions(
    X: Any, columns: str | int | Sequence[str | int]
) -> tuple[list[int], list[str] | None]:
    """Find columns of X.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Array, sparse matrix, list of rows, pandas or polars frame.
    columns : str, int or sequence of them
        Names (where X has them) or positions.

    Returns
    -------
    positions : list of int
    names : list of str or None
        None where X has no names.

    Raises
    ------
    ValueError
        If a column is not there; the message names what is.

    Examples
    --------
    >>> column_positions(np.zeros((2, 3)), [-1])
    ([2], None)
    """
    if isinstance(columns, str | int | np.integer):
        columns = [columns]
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    names = [str(c) for c in frame.columns] if isinstance(frame, nw.DataFrame) else None
    n_columns = n_columns_of(X)
    positions = []
    for column in columns:
        if isinstance(column, str):
            if names is None:
                raise ValueError(
                    f"sensitive_columns names {column!r}, but X is {type(X).__name__} without "
                    f"column names. Give positions, or call set_output(transform='pandas') on the "
                    f"steps before."
                )
            positions.append(_find_name(column, names))
        elif not -n_columns <= column < n_columns:
            raise ValueError(f"sensitive_columns has {column}, but X has {n_columns} columns.")
        else:
            positions.append(int(column) % n_columns)
    return positions, None if names is None else [names[j] for j in positions]


def take_columns(X: Any, positions: list[int]) -> Any:
    """Columns of X by position, in X's container; sparse ones become dense."""
    values = _safe_indexing(X if hasattr(X, "shape") else np.asarray(X), positions, axis=1)
    return values.toarray() if hasattr(values, "toarray") else values


def n_columns_of(X: Any) -> int:
    """Number of columns of an array, matrix, frame or list of rows."""
    return X.shape[1] if hasattr(X, "shape") else len(X[0])


def _find_name(column: str, names: list[str]) -> int:
    if column in names:
        return names.index(column)
    # ColumnTransformer renames columns to "<step>__<column>".
    similar = [name for name in names if name.endswith(f"__{column}")]
    hint = f" Did you mean {similar}?" if similar else ""
    raise ValueError(
        f"sensitive_columns has {column!r}, which is not a column of X.{hint} "
        f"The columns are {names[:20]}{'...' if len(names) > 20 else ''}."
    )
