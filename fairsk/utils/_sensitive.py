"""Sensitive features as people hold them, turned into named columns."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
from scipy import sparse

# A number with more distinct values than this is a measurement, not a group label.
MAX_NUMERIC_GROUPS = 30
# A column with fractions is a measurement sooner: .1, .2, ... are rarely names of groups.
MAX_FRACTIONAL_GROUPS = 10


@dataclass(frozen=True)
class SensitiveFeatures:
    """Validated sensitive features: one array a column, missing values marked.

    Attributes
    ----------
    columns : tuple of ndarray of shape (n_samples,)
        Values; numeric columns keep a numeric dtype.
    missing : tuple of ndarray of bool of shape (n_samples,)
        True where the value is missing (None, NaN, NA, NaT).
    names : tuple of str
        Column names; ``"sensitive_feature_0"`` and so on where the input has none.
    named : bool
        Whether the input carried names of its own.
    """

    columns: tuple[np.ndarray, ...]
    missing: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    named: bool

    @property
    def n_samples(self) -> int:
        return len(self.columns[0])

    @property
    def all_missing(self) -> bool:
        return all(mask.all() for mask in self.missing)

    def take(self, rows: np.ndarray) -> SensitiveFeatures:
        """The same features on some of the rows."""
        return SensitiveFeatures(
            tuple(column[rows] for column in self.columns),
            tuple(mask[rows] for mask in self.missing),
            self.names,
            self.named,
        )

    def is_continuous(self, j: int) -> bool:
        """Whether a column has more distinct numbers than groups are likely to be."""
        column = self.columns[j]
        if column.dtype.kind not in "iuf":
            return False
        values = np.unique(column[~self.missing[j]])
        fractional = column.dtype.kind == "f" and bool(np.any(values != np.round(values)))
        return len(values) > (MAX_FRACTIONAL_GROUPS if fractional else MAX_NUMERIC_GROUPS)

    def check_discrete(self) -> SensitiveFeatures:
        """Refuse continuous columns, for methods that need groups.

        Raises
        ------
        ValueError
            If a column is continuous; the message says how to bin it.
        """
        for j, name in enumerate(self.names):
            if self.is_continuous(j):
                n_values = len(np.unique(self.columns[j][~self.missing[j]]))
                raise ValueError(
                    f"Sensitive feature {name!r} looks continuous ({n_values} distinct "
                    f"numbers), but this method compares groups. Bin it first, for example with "
                    f"pandas.cut({name}, bins=[0, 25, 45, 120]) or "
                    f"sklearn.preprocessing.KBinsDiscretizer(encode='ordinal'); if the numbers "
                    f"are codes of groups, convert them to strings."
                )
        return self


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, numbers.Real):
        return bool(value != value)
    # pandas.NA and NaT without importing pandas.
    return type(value).__name__ in ("NAType", "NaTType")


def _clean_column(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A column and its missing mask; objects that are all numbers become numeric."""
    if column.dtype.kind in "iub":
        return column, np.zeros(len(column), dtype=bool)
    if column.dtype.kind == "f":
        return column, np.isnan(column)
    if column.dtype.kind in "mM":
        return column, np.isnat(column)
    if column.dtype.kind in "US":
        return column.astype(object), np.zeros(len(column), dtype=bool)
    missing = np.fromiter((_is_missing(value) for value in column), bool, len(column))
    present = column[~missing]
    is_number = [
        isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
        for value in present
    ]
    if len(present) and all(is_number):
        numeric = np.full(len(column), np.nan)
        numeric[~missing] = present.astype(float)
        return numeric, missing
    return column, missing


def _split_columns(values: Any) -> tuple[list[np.ndarray], list[str] | None]:
    """Any accepted container as a list of 1-D arrays and the names it carries."""
    frame = nw.from_native(values, allow_series=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        # Not frame[name]: a pandas column may be called 0, and frame[0] is a row.
        columns = [_series_to_numpy(frame.get_column(name)) for name in frame.columns]
        return columns, [str(name) for name in frame.columns]
    if isinstance(frame, nw.Series):
        return [_series_to_numpy(frame)], None if frame.name in (None, "") else [str(frame.name)]
    if sparse.issparse(values):
        raise TypeError("sensitive_features must be dense: pass sensitive_features.toarray().")
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise TypeError(
            f"sensitive_features must hold one value (or one row of values) per sample, "
            f"got {type(values).__name__}. To read columns from X, use sensitive_columns."
        )
    array = values if isinstance(values, np.ndarray) else _array_of_objects(values)
    if array.ndim == 1:
        return [array], None
    if array.ndim == 2:
        return [array[:, j] for j in range(array.shape[1])], None
    raise ValueError(
        f"sensitive_features must be 1-D or 2-D (samples, features), got {array.ndim} dimensions."
    )


def _series_to_numpy(series: nw.Series) -> np.ndarray:
    """Values of a series; a categorical or string dtype becomes an array of objects."""
    values = series.to_numpy()
    if values.dtype.kind in "iubfmM":
        return values
    return np.array(series.to_list(), dtype=object)


def _array_of_objects(values: Sequence) -> np.ndarray:
    """A list as an array whose mixed types are not turned into strings."""
    array = np.asarray(values)
    if array.dtype.kind in "iubf":
        return array
    if array.ndim == 1:
        result = np.empty(len(values), dtype=object)
        result[:] = list(values)
        return result
    return np.array(values, dtype=object)


def check_sensitive_features(values: Any, *, n_samples: int | None = None) -> SensitiveFeatures:
    """Validate sensitive features of any accepted type.

    Parameters
    ----------
    values : Series, DataFrame, list or array of shape (n_samples,) or (n_samples, n_features)
        pandas and polars containers, lists and arrays of any dtype. Missing values are kept and
        mean that the group of the row is unknown.
    n_samples : int, optional
        The number of rows that X and y have.

    Returns
    -------
    SensitiveFeatures

    Raises
    ------
    TypeError
        If ``values`` is not a container of rows.
    ValueError
        If it has no columns or the wrong number of rows.

    Examples
    --------
    >>> features = check_sensitive_features([["f", 1], ["m", None]])
    >>> features.names
    ('sensitive_feature_0', 'sensitive_feature_1')
    >>> features.missing[1].tolist()
    [False, True]
    """
    columns, names = _split_columns(values)
    if not columns:
        raise ValueError("sensitive_features has no columns.")
    if n_samples is not None and len(columns[0]) != n_samples:
        raise ValueError(
            f"sensitive_features has {len(columns[0])} rows but the data has {n_samples}. "
            f"Pass one row of sensitive features per sample."
        )
    cleaned = [_clean_column(np.asarray(column)) for column in columns]
    return SensitiveFeatures(
        columns=tuple(column for column, _ in cleaned),
        missing=tuple(mask for _, mask in cleaned),
        names=tuple(names or (f"sensitive_feature_{j}" for j in range(len(columns)))),
        named=names is not None,
    )


def _pandas_index(values: Any) -> Any:
    """The row index of a pandas container, None for anything else."""
    module = type(values).__module__.split(".")[0]
    return values.index if module == "pandas" and hasattr(values, "index") else None


def check_same_rows(**named_values: Any) -> None:
    """Refuse inputs whose lengths or pandas indices disagree.

    Pairing rows by position when two indices hold the same labels in another order gives wrong
    groups without an error, so a mismatch is refused.

    Parameters
    ----------
    **named_values
        Containers by name, such as ``X=X, y=y, sensitive_features=groups``; None is left out.

    Raises
    ------
    ValueError
        If lengths differ or two pandas indices differ.

    Examples
    --------
    >>> check_same_rows(y_true=[0, 1], y_pred=[1])
    Traceback (most recent call last):
    ...
    ValueError: y_true has 2 rows but y_pred has 1.
    """
    given = {name: values for name, values in named_values.items() if values is not None}
    lengths = {
        name: values.shape[0] if hasattr(values, "shape") and values.shape else len(values)
        for name, values in given.items()
        if hasattr(values, "shape") or hasattr(values, "__len__")
    }
    for (first, n_first), (second, n_second) in zip(
        list(lengths.items())[:-1], list(lengths.items())[1:], strict=True
    ):
        if n_first != n_second:
            raise ValueError(f"{first} has {n_first} rows but {second} has {n_second}.")
    indexed = {name: _pandas_index(values) for name, values in given.items()}
    indexed = {name: index for name, index in indexed.items() if index is not None}
    names = list(indexed)
    for name in names[1:]:
        if not indexed[names[0]].equals(indexed[name]):
            raise ValueError(
                f"The pandas indices of {names[0]} and {name} differ. Rows are matched by "
                f"position, so align them first ({name}.loc[{names[0]}.index]) or drop the "
                f"indices on purpose with .reset_index(drop=True)."
            )
