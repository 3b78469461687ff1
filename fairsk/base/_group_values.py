"""One number for each group, as people give them: one for all, or by name."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from fairsk.utils import GroupFamily


def values_by_group(
    given: Any, family: GroupFamily, default: float, *, name: str, only: Any = None
) -> np.ndarray:
    """The number of each group of a family.

    Parameters
    ----------
    given : float or mapping
        One number for every group, or numbers by group: by its value, by the tuple of its values
        for several sensitive features, or by its printed name.
    family : GroupFamily
    default : float
        For groups that a mapping does not name.
    name : str
        Of the parameter, for messages.
    only : group, optional
        The one group that a number is for; the others have the default.

    Returns
    -------
    ndarray of shape (n_groups,)

    Raises
    ------
    ValueError
        If a group is not there; the message lists those that are.

    Examples
    --------
    >>> family = GroupFamily(("sex",), (("f",), ("m",)), ("f", "m"))
    >>> values_by_group({"f": 0.75}, family, 0.35, name="group_margins")
    array([0.75, 0.35])
    """
    if isinstance(given, Mapping):
        values = np.full(len(family), default, dtype=float)
        for group, value in given.items():
            values[_position(group, family, name)] = value
        return values
    if only is None:
        return np.full(len(family), float(given))
    values = np.full(len(family), default, dtype=float)
    values[_position(only, family, "group")] = given
    return values


def _position(group: Any, family: GroupFamily, name: str) -> int:
    for k, (values, label) in enumerate(zip(family.values, family.labels, strict=True)):
        if group in (label, values, *(values if len(values) == 1 else ())):
            return k
    raise ValueError(
        f"{name} names the group {group!r}, which is not there; the groups are "
        f"{list(family.labels)}."
    )


def check_group_values(given: Any, lowest: float, highest: float, *, name: str, what: str) -> None:
    """Refuse what is neither a number within bounds nor a mapping of groups to such numbers.

    Raises
    ------
    ValueError
    """
    values = list(given.values()) if isinstance(given, Mapping) else [given]
    for value in values:
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not is_number or not lowest <= float(value) <= highest:
            raise ValueError(
                f"{name} is {what}, a number from {lowest:g} to {highest:g} or a dict of such "
                f"numbers by group, got {given!r}."
            )
