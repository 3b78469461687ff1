"""Sensitive features as memberships in groups that need not exclude each other."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from fairsk.utils._sensitive import SensitiveFeatures, check_sensitive_features

UNKNOWN = -1


class MembershipEncoder:
    """Turn sensitive features into membership indicators: 1 inside, 0 outside, -1 unknown.

    A column of 0 and 1 (or of booleans) is an indicator already and keeps its name. Any other
    column of groups gives an indicator of each value, or of the last one only where there are two.

    Parameters
    ----------
    max_intersection : int, default=1
        With 2, the intersection of any two groups of different columns is a group too, with 3 of
        any three, and so on. A row is outside if one membership is 0, whatever the others are.

    Attributes
    ----------
    names_ : tuple of str
        Of the groups; intersections are "a & b".
    parts_ : tuple of tuple of int
        For each group, the base groups that it is the intersection of.

    Examples
    --------
    >>> encoder = MembershipEncoder(max_intersection=2).fit([[1, "x"], [0, "y"], [None, "y"]])
    >>> encoder.names_
    ('sensitive_feature_0', 'sensitive_feature_1=y', 'sensitive_feature_0 & sensitive_feature_1=y')
    >>> encoder.transform([[1, "x"], [0, "y"], [None, "y"]])[:, 2].tolist()
    [0, 0, -1]
    """

    def __init__(self, max_intersection: int = 1) -> None:
        self.max_intersection = max_intersection

    def fit(self, sensitive_features: Any) -> MembershipEncoder:
        """Learn the groups.

        Parameters
        ----------
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
            Series, frame, list, array or `SensitiveFeatures`; missing values are unknown.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a column is continuous, has no known value, or only one.
        """
        features = _as_features(sensitive_features).check_discrete()
        names, self._levels, columns = [], [], []
        for j, (name, column, missing) in enumerate(
            zip(features.names, features.columns, features.missing, strict=True)
        ):
            levels = _levels(name, column[~missing])
            self._levels.append(levels)
            columns += [j] * max(1, len(levels))
            names += [name] if not levels else [f"{name}={level}" for level in levels]
        self.column_names_ = features.names
        self.parts_: tuple[tuple[int, ...], ...] = tuple(
            parts
            for order in range(1, self.max_intersection + 1)
            for parts in combinations(range(len(names)), order)
            if len({columns[k] for k in parts}) == order
        )
        self.names_ = tuple(" & ".join(names[k] for k in parts) for parts in self.parts_)
        return self

    def base(self, sensitive_features: Any) -> np.ndarray:
        """Indicators of the base groups, without intersections.

        Returns
        -------
        ndarray of int8 of shape (n_samples, n_base_groups)
        """
        features = _as_features(sensitive_features)
        if len(features.columns) != len(self._levels):
            raise ValueError(
                f"There are {len(features.columns)} sensitive features; in fit there were "
                f"{len(self._levels)}: {list(self.column_names_)}."
            )
        blocks = []
        for name, column, missing, levels in zip(
            features.names, features.columns, features.missing, self._levels, strict=True
        ):
            blocks += _indicators(name, column, missing, levels)
        return np.column_stack(blocks)

    def member(self, base: np.ndarray, group: int) -> np.ndarray:
        """One group's indicator from those of the base groups."""
        parts = base[:, list(self.parts_[group])]
        known = np.where((parts == UNKNOWN).any(axis=1), UNKNOWN, 1)
        return np.where((parts == 0).any(axis=1), 0, known).astype(np.int8)

    def transform(self, sensitive_features: Any) -> np.ndarray:
        """Indicators of all groups.

        Returns
        -------
        ndarray of int8 of shape (n_samples, n_groups)
        """
        base = self.base(sensitive_features)
        return np.column_stack([self.member(base, m) for m in range(len(self.parts_))])


def _levels(name: str, known: np.ndarray) -> list[Any]:
    """The values that become indicators; none for a column that is one."""
    if len(known) == 0:
        raise ValueError(
            f"Every value of sensitive feature {name!r} is missing: no row says who is in the "
            f"group. Leave the column out."
        )
    values = sorted(set(known.tolist()), key=lambda value: (str(type(value)), value))
    if len(values) == 1:
        raise ValueError(
            f"Sensitive feature {name!r} is constant: every known value is {values[0]!r}. Groups "
            f"are compared with the rows outside of them; leave the column out."
        )
    if _is_indicator(values):
        return []
    return values if len(values) > 2 else values[1:]


def _is_indicator(values: list[Any]) -> bool:
    return all(isinstance(v, bool | int | float | np.bool_) and v in (0, 1) for v in values)


def _indicators(
    name: str, column: np.ndarray, missing: np.ndarray, levels: list[Any]
) -> list[np.ndarray]:
    if not levels:
        known = column[~missing]
        if not np.isin(known.astype(object), [0, 1]).all():
            raise ValueError(
                f"Membership {name!r} must be 0, 1 or missing, as in fit, got "
                f"{sorted(set(map(str, known.tolist())))[:5]}."
            )
        indicator = np.full(len(column), UNKNOWN, dtype=np.int8)
        indicator[~missing] = known.astype(np.int8)
        return [indicator]
    return [np.where(missing, UNKNOWN, (column == level)).astype(np.int8) for level in levels]


def _as_features(values: Any) -> SensitiveFeatures:
    return values if isinstance(values, SensitiveFeatures) else check_sensitive_features(values)
