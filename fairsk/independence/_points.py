"""Variables of any type as points whose Euclidean distance is meaningful."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairsk.utils import SensitiveEncoder, SensitiveFeatures, check_sensitive_features


def as_points(
    values: Any, name: str, *, standardize: bool = False, codes: bool = False
) -> np.ndarray:
    """One float matrix: numbers as they are or standardised, groups as corners of a simplex.

    Parameters
    ----------
    values : array-like of shape (n_samples,) or (n_samples, n_columns)
        Arrays, lists, Series and frames of any types.
    name : str
        For messages.
    standardize : bool, default=False
        Whether numeric columns are given mean zero and variance one, and numbers with at most ten
        distinct values, all whole, are taken for codes of groups, as in
        `~fairsk.utils.SensitiveEncoder`.
    codes : bool, default=False
        Whether groups become numbers 0, 1, ... in one column instead.

    Returns
    -------
    ndarray of shape (n_samples, n_points_columns)
        Two different groups of a feature are at distance one, whichever they are. Where there are
        two of them, that is one column of zeros and ones.

    Raises
    ------
    ValueError
        If a value is missing or infinite.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb" and not standardize:
        matrix = values.astype(float)
        matrix = matrix[:, None] if matrix.ndim == 1 else matrix
        if matrix.ndim != 2:
            raise ValueError(f"{name} must be 1-D or 2-D, got {values.ndim} dimensions.")
    else:
        features = values
        if not isinstance(values, SensitiveFeatures):
            try:
                features = check_sensitive_features(values)
            except (TypeError, ValueError) as error:
                message = str(error).replace("sensitive_features", name)
                raise type(error)(message) from None
        if any(mask.any() for mask in features.missing):
            raise ValueError(_missing(name))
        matrix = np.concatenate(
            [_encode(features, j, standardize, codes) for j in range(len(features.names))], axis=1
        )
    if not np.isfinite(matrix).all():
        raise ValueError(_missing(name))
    return matrix


def _encode(features: SensitiveFeatures, j: int, standardize: bool, as_codes: bool) -> np.ndarray:
    column, missing = features.columns[j], features.missing[j]
    if column.dtype.kind in "iufb" and not standardize:
        return column.astype(float)[:, None]
    alone = SensitiveFeatures((column,), (missing,), (features.names[j],), features.named)
    encoder = SensitiveEncoder()
    codes = encoder.fit_transform(alone)
    if encoder.is_numeric_.all() or codes.shape[1] == 1:
        return codes
    if as_codes:
        return (codes @ np.arange(1.0, codes.shape[1] + 1))[:, None]
    # The encoder leaves out the reference group, which would be nearer to all than they are to
    # each other.
    reference = 1.0 - codes.sum(axis=1, keepdims=True)
    return np.concatenate([reference, codes], axis=1) / np.sqrt(2)


def _missing(name: str) -> str:
    return (
        f"{name} has missing or infinite values. Leave those rows out of every argument: a row "
        f"without a value has no neighbours."
    )
