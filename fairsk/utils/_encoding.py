"""Sensitive features of any type as one float matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairsk.utils._sensitive import SensitiveFeatures, check_sensitive_features

# Whole numbers with at most this many values are codes of groups sooner than measurements. One
# indicator a value loses nothing, whereas a linear term would assume that the codes are ordered.
MAX_CODES = 10


class SensitiveEncoder:
    """Encode sensitive features as numbers: measurements standardised, groups one-hot.

    A numeric column is standardised to mean zero and variance one over its present values; one
    with at most ten distinct values, all of them whole numbers, is taken for group codes. Every
    other column (strings, booleans, categories, dates) and the codes become indicators of each
    value but the most frequent one, which is the reference.

    Attributes
    ----------
    names_ : tuple of str
        Names of the sensitive features.
    feature_names_out_ : tuple of str
        Names of the columns of the matrix.
    is_numeric_ : ndarray of bool of shape (n_codes,)
        Which columns of the matrix are standardised measurements.

    Examples
    --------
    >>> encoder = SensitiveEncoder().fit([["f", 20.5], ["m", 30.5], ["m", 40.5], ["m", None]])
    >>> encoder.feature_names_out_
    ('sensitive_feature_0=f', 'sensitive_feature_1')
    >>> encoder.transform([["f", 30.5], ["m", None]])
    array([[ 1.,  0.],
           [ 0., nan]])
    """

    def fit(self, sensitive_features: Any) -> SensitiveEncoder:
        """Learn means, scales and values.

        Parameters
        ----------
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)
            Series, frame, list, array or `SensitiveFeatures`; missing values are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a column has no value, or an infinite one.
        """
        features = _as_features(sensitive_features)
        self.names_ = features.names
        self._columns = [
            _fit_column(name, column, missing)
            for name, column, missing in zip(
                features.names, features.columns, features.missing, strict=True
            )
        ]
        self.feature_names_out_ = tuple(n for column in self._columns for n in column.names)
        self.is_numeric_ = np.array(
            [isinstance(c, _Measurement) for c in self._columns for _ in c.names], dtype=bool
        )
        return self

    def transform(self, sensitive_features: Any) -> np.ndarray:
        """Encode rows.

        Parameters
        ----------
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_codes)
            float64; NaN in all columns of a feature that is missing.

        Raises
        ------
        ValueError
            If the number of columns differs from that of fit, or a group is new.
        """
        features = _as_features(sensitive_features)
        if len(features.columns) != len(self.names_):
            raise ValueError(
                f"There are {len(features.columns)} sensitive features; in fit there were "
                f"{len(self.names_)}: {list(self.names_)}."
            )
        if features.named and features.names != self.names_ and self._same_names(features):
            order = [features.names.index(name) for name in self.names_]
        else:
            order = list(range(len(self.names_)))
        blocks = [
            encoding.transform(features.columns[j], features.missing[j])
            for j, encoding in zip(order, self._columns, strict=True)
        ]
        return np.concatenate(blocks, axis=1)

    def fit_transform(self, sensitive_features: Any) -> np.ndarray:
        """Learn the encoding and encode the same rows."""
        features = _as_features(sensitive_features)
        return self.fit(features).transform(features)

    def _same_names(self, features: SensitiveFeatures) -> bool:
        return set(features.names) == set(self.names_)


class _Measurement:
    """A numeric column, standardised; a constant one becomes zero."""

    def __init__(self, name: str, values: np.ndarray) -> None:
        if not np.isfinite(values).all():
            raise ValueError(
                f"Sensitive feature {name!r} has infinite values. Replace them, or mark them "
                f"missing (None or NaN)."
            )
        self.names = [name]
        self.mean = float(values.mean())
        self.scale = float(values.std()) or 1.0

    def transform(self, column: np.ndarray, missing: np.ndarray) -> np.ndarray:
        codes = (column.astype(float) - self.mean) / self.scale
        codes[missing] = np.nan
        return codes[:, None]


class _Indicators:
    """A column of groups; the most frequent value is the reference."""

    def __init__(self, name: str, values: np.ndarray) -> None:
        found, inverse = _factorize(values)
        counts = np.bincount(inverse, minlength=len(found))
        order = sorted(range(len(found)), key=lambda k: found[k])
        most = max(order, key=lambda k: counts[k])
        # A constant column keeps its indicator, so that no feature has zero columns.
        self.shown = [found[k] for k in order if k != most or len(found) == 1]
        self.values = [found[k] for k in order]
        self.name = name
        self.names = [f"{name}={_show(value)}" for value in self.shown]

    def transform(self, column: np.ndarray, missing: np.ndarray) -> np.ndarray:
        found, inverse = _factorize(column[~missing])
        new = [value for value in found if value not in self.values]
        if new:
            raise ValueError(
                f"Sensitive feature {self.name!r} has the value {new[0]!r}, which was not seen in "
                f"fit; it had {self.values}. Merge rare groups before fitting."
            )
        table = np.array([[value == shown for shown in self.shown] for value in found], float)
        codes = np.full((len(column), len(self.shown)), np.nan)
        codes[~missing] = table.reshape(len(found), len(self.shown))[inverse]
        return codes


def _fit_column(name: str, column: np.ndarray, missing: np.ndarray) -> _Measurement | _Indicators:
    present = column[~missing]
    if not len(present):
        raise ValueError(f"Every value of sensitive feature {name!r} is missing.")
    if column.dtype.kind in "iuf" and not _are_codes(present):
        return _Measurement(name, present)
    return _Indicators(name, present)


def _are_codes(values: np.ndarray) -> bool:
    """Whether numbers are few and whole; the first thousand rows settle most columns."""
    for part in (values[:1000], values):
        found = np.unique(part)
        if len(found) > MAX_CODES or bool(np.any(found != np.round(found))):
            return False
    return True


def _factorize(values: np.ndarray) -> tuple[list, np.ndarray]:
    """Distinct values, as numbers or text, and which one each row has."""
    if values.dtype.kind in "iuf":
        found, inverse = np.unique(values.astype(float), return_inverse=True)
        return found.tolist(), inverse
    if values.dtype.kind == "b":
        return ["False", "True"], values.astype(np.intp)
    # A dictionary, because sorting a million strings takes seconds.
    table: dict[str, int] = {}
    inverse = np.fromiter(
        (table.setdefault(str(value), len(table)) for value in values), np.intp, len(values)
    )
    return list(table), inverse


def _show(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _as_features(values: Any) -> SensitiveFeatures:
    return values if isinstance(values, SensitiveFeatures) else check_sensitive_features(values)
