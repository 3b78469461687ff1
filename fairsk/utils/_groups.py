"""Groups: every row's place in one or several partitions of the population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from fairsk.utils._sensitive import SensitiveFeatures, check_sensitive_features

GROUPINGS = ("intersectional", "independent")
UNKNOWN = -1


@dataclass(frozen=True)
class GroupFamily:
    """A partition of the population into groups.

    Attributes
    ----------
    features : tuple of str
        The sensitive features that define it.
    values : tuple of tuple
        For each group, its value of each feature.
    labels : tuple of str
        For each group, a name to print.
    """

    features: tuple[str, ...]
    values: tuple[tuple, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Groups:
    """Group membership of n rows in one or several families of groups.

    Attributes
    ----------
    codes : ndarray of shape (n_samples, n_families)
        Index of the row's group within each family; -1 where it is unknown.
    families : tuple of GroupFamily
        Several only for independent groups.
    """

    codes: np.ndarray
    families: tuple[GroupFamily, ...]

    @property
    def n_groups(self) -> int:
        """Number of groups over all families."""
        return sum(len(family) for family in self.families)

    @property
    def family_of(self) -> np.ndarray:
        """Family of each group, shape (n_groups,)."""
        return np.repeat(np.arange(len(self.families)), [len(f) for f in self.families])

    @property
    def labels(self) -> tuple[str, ...]:
        """Printable names of all groups, shape (n_groups,)."""
        return tuple(label for family in self.families for label in family.labels)

    @property
    def known(self) -> np.ndarray:
        """Rows whose group is known in at least one family, shape (n_samples,)."""
        return (self.codes != UNKNOWN).any(axis=1)

    def flat_codes(self) -> np.ndarray:
        """Codes that count groups over all families, -1 kept; shape (n_samples, n_families)."""
        offsets = np.cumsum([0] + [len(family) for family in self.families[:-1]])
        return np.where(self.codes == UNKNOWN, UNKNOWN, self.codes + offsets)

    def indicators(self) -> sparse.csr_array:
        """Membership as a sparse 0/1 matrix of shape (n_samples, n_groups)."""
        flat = self.flat_codes()
        rows, columns = np.nonzero(flat != UNKNOWN)
        ones = np.ones(len(rows))
        shape = (len(flat), self.n_groups)
        return sparse.csr_array((ones, (rows, flat[rows, columns])), shape=shape)

    def take(self, rows: np.ndarray) -> Groups:
        """Membership of some of the rows."""
        return Groups(self.codes[rows], self.families)


def _sort_key(value: Any) -> tuple[str, Any]:
    """Sort values of mixed types: numbers among numbers, then by type and text."""
    if isinstance(value, int | float | np.number):
        return ("", float(value))
    return (type(value).__name__, str(value))


def _plain(value: Any) -> Any:
    """A numpy scalar as the Python value it stands for; 1.0 as 1."""
    if isinstance(value, np.generic):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value


class GroupEncoder:
    """Learn the groups of the training data, then find them in other data.

    Parameters
    ----------
    groups : {"intersectional", "independent"}, default="intersectional"
        One family of groups made of the observed combinations of all sensitive features, or one
        family for each feature.

    Attributes
    ----------
    families_ : tuple of GroupFamily
    names_ : tuple of str
        Names of the sensitive features.

    Examples
    --------
    >>> encoder = GroupEncoder().fit([["f", "x"], ["m", "x"], ["f", "y"], ["f", None]])
    >>> encoder.families_[0].labels
    ('f, x', 'f, y', 'm, x')
    >>> encoder.transform([["f", "y"], [None, "x"]]).codes.ravel().tolist()
    [1, -1]
    """

    def __init__(self, groups: str = "intersectional") -> None:
        self.groups = groups

    def fit(self, sensitive_features: Any) -> GroupEncoder:
        """Learn feature names and group labels.

        Raises
        ------
        ValueError
            If ``groups`` is unknown, a column is continuous, every group is unknown, or a family
            has a single group.
        """
        if self.groups not in GROUPINGS:
            raise ValueError(f"groups must be one of {GROUPINGS}, got {self.groups!r}.")
        features = _as_features(sensitive_features).check_discrete()
        self.names_ = features.names
        self._levels = [
            _levels(column, missing)
            for column, missing in zip(features.columns, features.missing, strict=True)
        ]
        for name, levels in zip(self.names_, self._levels, strict=True):
            if not levels:
                raise ValueError(f"Every value of sensitive feature {name!r} is missing.")
        columns = [self._codes(j, features)[0] for j in range(len(self.names_))]
        self.families_ = tuple(self._families(np.column_stack(columns)))
        return self

    def _families(self, codes: np.ndarray) -> list[GroupFamily]:
        if self.groups == "independent":
            return [
                GroupFamily((name,), tuple((v,) for v in levels), tuple(str(v) for v in levels))
                for name, levels in zip(self.names_, self._levels, strict=True)
            ]
        complete = codes[(codes != UNKNOWN).all(axis=1)]
        if not len(complete):
            raise ValueError("No row has all of its sensitive features: every group is unknown.")
        # One number a combination: unique rows of a matrix take ten times as long.
        sizes = tuple(len(levels) for levels in self._levels)
        combined = np.unique(np.ravel_multi_index(tuple(complete.T), sizes))
        present = np.column_stack(np.unravel_index(combined, sizes))
        values = [
            tuple(levels[c] for levels, c in zip(self._levels, row, strict=True)) for row in present
        ]
        labels = tuple(", ".join(str(v) for v in value) for value in values)
        return [GroupFamily(tuple(self.names_), tuple(values), labels)]

    def transform(self, sensitive_features: Any, *, unseen: str = "error") -> Groups:
        """Codes of the rows' groups.

        Parameters
        ----------
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)
        unseen : {"error", "unknown"}, default="error"
            What a group that was not there in fit becomes.

        Returns
        -------
        Groups

        Raises
        ------
        ValueError
            If the columns are not those of fit, or a group is unseen.
        """
        features = _as_features(sensitive_features)
        if len(features.columns) != len(self.names_) or (
            features.named and set(features.names) != set(self.names_) and self._named_in_fit()
        ):
            raise ValueError(
                f"The sensitive features are {list(features.names)}; in fit they were "
                f"{list(self.names_)}."
            )
        if features.named and features.names != self.names_ and self._named_in_fit():
            order = [features.names.index(name) for name in self.names_]
            features = SensitiveFeatures(
                tuple(features.columns[j] for j in order),
                tuple(features.missing[j] for j in order),
                self.names_,
                True,
            )
        coded = [self._codes(j, features) for j in range(len(self.names_))]
        codes = np.column_stack([column for column, _ in coded])
        is_new = np.column_stack([new for _, new in coded])
        if self.groups == "intersectional":
            codes, is_new = self._intersect(codes, is_new)
        if unseen == "error" and is_new.any():
            row = int(np.flatnonzero(is_new.any(axis=1))[0])
            found = tuple(_plain(column[row]) for column in features.columns)
            raise ValueError(
                f"Group {_show(self.names_, found)} (row {row}) was not seen in fit; the groups "
                f"are {[label for family in self.families_ for label in family.labels]}. Merge "
                f"rare groups before fitting, or set unseen='blind' on the estimator to fall back "
                f"to the rule that does not use the group."
            )
        return Groups(codes, self.families_)

    def fit_transform(self, sensitive_features: Any) -> Groups:
        """Learn the groups and return the codes of the same rows."""
        features = _as_features(sensitive_features)
        return self.fit(features).transform(features)

    def check_not_constant(self) -> GroupEncoder:
        """Refuse a family with one group, for methods that compare groups."""
        for family in self.families_:
            if len(family) < 2:
                raise ValueError(
                    f"Sensitive feature {', '.join(family.features)} is constant: every known "
                    f"value is {family.labels[0]!r}. A fairness constraint compares at least two "
                    f"groups."
                )
        return self

    def _named_in_fit(self) -> bool:
        return not self.names_[0].startswith("sensitive_feature_")

    def _codes(self, j: int, features: SensitiveFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Codes of one feature's values and whether each is present but new."""
        table = {level: code for code, level in enumerate(self._levels[j])}
        column, missing = features.columns[j], features.missing[j]
        if column.dtype.kind in "iufbmM":
            values, inverse = np.unique(column, return_inverse=True)
            codes = np.array([table.get(_plain(v), UNKNOWN) for v in values], dtype=np.intp)
            codes = codes[inverse]
        else:
            codes = np.fromiter((table.get(v, UNKNOWN) for v in column), np.intp, len(column))
        codes[missing] = UNKNOWN
        return codes, (codes == UNKNOWN) & ~missing

    def _intersect(self, codes: np.ndarray, is_new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes of combinations; a combination of known values may itself be new."""
        sizes = [len(levels) for levels in self._levels]
        family = self.families_[0]
        known = np.full(sizes, UNKNOWN, dtype=np.intp)
        for code, values in enumerate(family.values):
            index = tuple(levels.index(v) for levels, v in zip(self._levels, values, strict=True))
            known[index] = code
        complete = (codes != UNKNOWN).all(axis=1)
        joint = np.full(len(codes), UNKNOWN, dtype=np.intp)
        joint[complete] = known[tuple(codes[complete].T)]
        new = is_new.any(axis=1) | (complete & (joint == UNKNOWN))
        return joint[:, None], new[:, None]


def _as_features(values: Any) -> SensitiveFeatures:
    return values if isinstance(values, SensitiveFeatures) else check_sensitive_features(values)


def _levels(column: np.ndarray, missing: np.ndarray) -> list:
    """Distinct present values as plain Python values, sorted."""
    present = column[~missing]
    if column.dtype.kind in "iufb":
        return [_plain(value) for value in np.unique(present)]
    return sorted({_plain(value) for value in present}, key=_sort_key)


def _show(names: tuple[str, ...], values: tuple) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in zip(names, values, strict=True))
