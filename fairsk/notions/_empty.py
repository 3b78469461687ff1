"""What happens where a group has no rows to compute a rate from; decided here, once."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

EMPTY = ("nan", "raise", "skip")


class UndefinedFairnessWarning(UndefinedMetricWarning):
    """A rate or disparity has no value because a cell of the data is empty."""


def check_empty(empty: str) -> None:
    """Refuse an unknown rule for empty cells."""
    if empty not in EMPTY:
        raise ValueError(f"empty must be one of {EMPTY}, got {empty!r}.")


def apply_empty_rule(
    disparities: np.ndarray,
    family_of: np.ndarray,
    *,
    what: str,
    rate_names: tuple[str, ...],
    empty: str,
    labels: tuple[str, ...] | None = None,
) -> np.ndarray:
    """Disparities (n_rates, n_groups) that have a value, flat; see `defined_disparities`."""
    undefined = np.isnan(disparities)
    if undefined.any():
        report_undefined(what, rate_names, undefined, empty=empty, labels=labels)
        if empty == "nan":
            return disparities.ravel()
    comparable = comparable_groups(~undefined, family_of)
    if not comparable.any():
        message = f"{what} is undefined: no two groups to compare. NaN is returned."
        warnings.warn(message, UndefinedFairnessWarning, stacklevel=4)
        return np.array([np.nan])
    return disparities[comparable]


def comparable_groups(defined: np.ndarray, family_of: np.ndarray) -> np.ndarray:
    """Groups with a value and another one in their family to compare it with.

    Parameters
    ----------
    defined : ndarray of bool of shape (n_rates, n_groups)
    family_of : ndarray of int of shape (n_groups,)

    Returns
    -------
    ndarray of bool of shape (n_rates, n_groups)
    """
    same_family = family_of[:, None] == family_of[None, :]
    return defined & (defined.astype(int) @ same_family > 1)


def report_undefined(
    what: str,
    rate_names: tuple[str, ...],
    undefined: np.ndarray,
    *,
    empty: str,
    labels: tuple[str, ...] | None = None,
) -> None:
    """Say which rates have no value: a warning, or an error where the rule is ``"raise"``.

    Parameters
    ----------
    what : str
        The quantity that is undefined.
    rate_names : tuple of str
    undefined : ndarray of bool of shape (n_rates, n_groups)
    empty : {"nan", "raise", "skip"}
    labels : tuple of str, optional
        Names of the groups.
    """
    places = [
        f"{name} of group {labels[a] if labels else a}"
        for name, row in zip(rate_names, undefined, strict=True)
        for a in np.flatnonzero(row)
    ]
    message = (
        f"{what} is undefined: no rows to compute {'; '.join(places[:5])}"
        f"{' and more' if len(places) > 5 else ''}."
    )
    if empty == "raise":
        raise ValueError(message)
    consequence = "NaN is returned." if empty == "nan" else "These groups are left out."
    warnings.warn(f"{message} {consequence}", UndefinedFairnessWarning, stacklevel=4)
