"""Groups of each sensitive feature by itself and of their intersections, as families."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from fairsk.utils import GroupEncoder, Groups, SensitiveFeatures


def families_of(
    features: SensitiveFeatures, *, max_intersection: int
) -> tuple[Groups, dict[str, str]]:
    """A family of groups for each subset of the features, singles first.

    Parameters
    ----------
    features : SensitiveFeatures
    max_intersection : int
        How many features are crossed at most.

    Returns
    -------
    groups : Groups
        A row is known in a family where it has all features of it.
    left_out : dict of str to str
        Families without two groups to compare, and why.

    Raises
    ------
    ValueError
        If no family has two groups.

    Examples
    --------
    >>> from fairsk.utils import check_sensitive_features
    >>> features = check_sensitive_features([["f", "x"], ["m", "x"], ["f", "y"], ["m", None]])
    >>> groups, _ = families_of(features, max_intersection=2)
    >>> [family.labels for family in groups.families]
    [('f', 'm'), ('x', 'y'), ('f, x', 'f, y', 'm, x')]
    """
    features.check_discrete()
    codes, families, left_out = [], [], {}
    for subset in subsets_of(len(features.columns), max_intersection):
        part = pick(features, subset)
        name = family_name(part.names)
        if np.logical_or.reduce(part.missing).all():
            left_out[name] = "no row has a known value"
            continue
        groups = GroupEncoder().fit_transform(part)
        if len(groups.families[0]) < 2:
            left_out[name] = f"every known value is {groups.families[0].labels[0]!r}"
            continue
        codes.append(groups.codes)
        families.append(groups.families[0])
    if not families:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise ValueError(
            f"There are no two groups to compare in the sensitive features ({reasons})."
        )
    return Groups(np.concatenate(codes, axis=1), tuple(families)), left_out


def subsets_of(n_features: int, max_intersection: int) -> list[tuple[int, ...]]:
    """Positions of the features of each subset, small subsets first."""
    sizes = range(1, min(max_intersection, n_features) + 1)
    return [subset for size in sizes for subset in combinations(range(n_features), size)]


def pick(features: SensitiveFeatures, positions: Sequence[int]) -> SensitiveFeatures:
    """Some of the features."""
    return SensitiveFeatures(
        tuple(features.columns[j] for j in positions),
        tuple(features.missing[j] for j in positions),
        tuple(features.names[j] for j in positions),
        True,
    )


def family_name(names: Sequence[str]) -> str:
    """How a family is called: the features it crosses."""
    return " x ".join(names)


def check_max_intersection(value: Any) -> int:
    """Refuse what is no positive whole number."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"max_intersection is how many features are crossed at most, a whole number of at "
            f"least 1; got {value!r}."
        )
    return int(value)


def check_min_group_size(value: Any) -> int:
    """Refuse what is no nonnegative whole number."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise ValueError(f"min_group_size is a number of rows, at least 0; got {value!r}.")
    return int(value)
