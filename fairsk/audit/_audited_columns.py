"""The columns of a gerrymandering audit: as numbers, as groups, and their intersections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairsk.audit._families import family_name, pick, subsets_of
from fairsk.utils import GroupEncoder, SensitiveFeatures, check_sensitive_features


@dataclass(frozen=True)
class AuditedColumn:
    """A column, or an intersection of several.

    Attributes
    ----------
    name : str
    features : tuple of str
    code : ndarray of int of shape (n_samples,)
        Group of each row, -1 where it is unknown; numbers are cut at their quantiles.
    labels : tuple of str
    numbers : ndarray of float of shape (n_samples,) or None
        The values of a numeric column, NaN where missing.
    """

    name: str
    features: tuple[str, ...]
    code: np.ndarray
    labels: tuple[str, ...]
    numbers: np.ndarray | None


def audited_columns(
    columns: Any, *, n_bins: int, max_intersection: int, numeric: Any, n_samples: int
) -> list[AuditedColumn]:
    """Each column by itself, then the intersections.

    Parameters
    ----------
    columns : array-like of shape (n_samples, n_columns)
    n_bins : int
    max_intersection : int
    numeric : "auto" or sequence of str
        Names of the columns that are numbers; by default those with many distinct numbers.
    n_samples : int

    Raises
    ------
    ValueError
        If there are no rows or columns that match, or a numeric column has no numbers.
    """
    features = check_sensitive_features(columns, n_samples=n_samples)
    is_number = _numeric_columns(features, numeric)
    numbers: dict[str, np.ndarray] = {}
    cut: list[tuple[np.ndarray, np.ndarray]] = []
    for j, name in enumerate(features.names):
        column, missing = features.columns[j], features.missing[j]
        if is_number[j]:
            numbers[name] = np.where(missing, np.nan, _as_numbers(column, missing, name))
            column = _in_bins(numbers[name], n_bins)
        cut.append((column, missing))
    discrete = SensitiveFeatures(
        tuple(column for column, _ in cut),
        tuple(missing for _, missing in cut),
        features.names,
        True,
    )
    found = []
    for subset in subsets_of(len(features.names), max_intersection):
        part = pick(discrete, subset)
        if np.logical_or.reduce(part.missing).all():
            continue
        groups = GroupEncoder().fit_transform(part)
        found.append(
            AuditedColumn(
                family_name(part.names),
                part.names,
                groups.codes[:, 0],
                groups.families[0].labels,
                numbers.get(part.names[0]) if len(subset) == 1 else None,
            )
        )
    return found


def _numeric_columns(features: SensitiveFeatures, numeric: Any) -> list[bool]:
    if isinstance(numeric, str) and numeric == "auto":
        return [features.is_continuous(j) for j in range(len(features.names))]
    named = [numeric] if isinstance(numeric, str) else list(numeric)
    unknown = [name for name in named if name not in features.names]
    if unknown:
        raise ValueError(f"numeric names {unknown}; the columns are {list(features.names)}.")
    return [name in named for name in features.names]


def _as_numbers(column: np.ndarray, missing: np.ndarray, name: str) -> np.ndarray:
    if column.dtype.kind not in "iufb":
        raise ValueError(f"Column {name!r} is not of numbers (such as {column[~missing][0]!r}).")
    return column.astype(float)


def _in_bins(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Names of about equally large bins, such as "25 to 31".

    A value that fills a bin alone, such as the zeros of an amount, is one; numbers below and above
    it are cut by themselves.
    """
    present = np.sort(values[~np.isnan(values)])
    found, counts = np.unique(present, return_counts=True)
    heavy = int(counts.argmax())
    if counts[heavy] * n_bins <= len(present):
        starts = _bin_starts(present, n_bins)
    else:
        starts = np.array([found[heavy]])
        rest = n_bins - 1
        for part in (present[present < found[heavy]], present[present > found[heavy]]):
            share = len(part) / max(1, len(present) - counts[heavy])
            if len(part):
                starts = np.union1d(starts, _bin_starts(part, max(1, round(rest * share))))
    position = np.searchsorted(starts, np.where(np.isnan(values), present[0], values), "right") - 1
    of_bin = np.searchsorted(starts, present, "right") - 1
    labels = [_span(present[of_bin == b]) for b in range(len(starts))]
    return np.array(labels, dtype=object)[position]


def _bin_starts(present: np.ndarray, n_bins: int) -> np.ndarray:
    """Smallest value of each quantile bin."""
    cuts = np.quantile(present, np.arange(n_bins) / n_bins, method="higher")
    return np.unique(cuts)


def _span(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def names_of(fixed: str | Sequence[str] | None, columns: list[AuditedColumn]) -> tuple[str, ...]:
    """The fixed columns' names, which must be there.

    Raises
    ------
    ValueError
        If one is not.
    """
    if fixed is None:
        return ()
    named = (fixed,) if isinstance(fixed, str) else tuple(fixed)
    known = {name for column in columns for name in column.features}
    unknown = [name for name in named if name not in known]
    if unknown:
        raise ValueError(f"fixed names {unknown}; the columns are {sorted(known)}.")
    return named
