"""Random labels for a share of the rows of a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairsk.base._group_values import check_group_values, values_by_group
from fairsk.utils import GroupEncoder, SensitiveFeatures

TARGETS = ("any", "group")


@dataclass(frozen=True)
class LabelFlips:
    """Which labels to flip, and how: drawn afresh by every call of `draw`.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Class codes 0, 1, ...
    group : ndarray of int of shape (n_samples,)
        Group of each row; -1 for unknown, which is never flipped.
    shares : ndarray of shape (n_groups,)
        Share of each group's rows that are flipped, rounded to whole rows.
    choices : tuple of ndarray
        For each group, the classes that its rows may be flipped to.
    """

    codes: np.ndarray
    group: np.ndarray
    shares: np.ndarray
    choices: tuple[np.ndarray, ...]

    def draw(self, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        """Labels of one draw, and the positions of the rows that differ from before."""
        flipped, rows = self.codes.copy(), []
        for k, share in enumerate(self.shares):
            members = np.flatnonzero(self.group == k)
            n_flips = int(np.floor(share * len(members) + 0.5))
            if not n_flips:
                continue
            chosen = np.sort(rng.choice(members, n_flips, replace=False))
            flipped[chosen] = _others(self.codes[chosen], self.choices[k], rng)
            rows.append(chosen)
        return flipped, np.sort(np.concatenate(rows)) if rows else np.zeros(0, dtype=np.intp)


def _others(codes: np.ndarray, choices: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """A class of ``choices`` for each code, uniform among those that are not the code itself."""
    place = np.searchsorted(choices, codes)
    is_choice = choices[np.minimum(place, len(choices) - 1)] == codes
    steps = rng.randint(0, np.where(is_choice, len(choices) - 1, len(choices)))
    # Skip its own place.
    return choices[np.where(is_choice & (steps >= place), steps + 1, steps)]


def check_label_flips(p: Any, group: Any, to: str, *, name: str = "p") -> None:
    """Refuse shares outside [0, 1] and unknown targets, before any work.

    Raises
    ------
    ValueError
    """
    check_group_values(p, 0, 1, name=name, what="the share of labels to flip")
    if isinstance(p, Mapping) and group is not None:
        raise ValueError(f"group={group!r} goes with one number {name}; {p!r} names groups itself.")
    if to not in TARGETS:
        raise ValueError(f"to must be one of {list(TARGETS)}, got {to!r}.")


def make_label_flips(
    codes: np.ndarray,
    n_classes: int,
    features: SensitiveFeatures,
    *,
    p: Any,
    group: Any = None,
    to: str = "any",
    name: str = "p",
    rows: np.ndarray | None = None,
) -> LabelFlips:
    """Prepare flips of labels within groups; several sensitive features make intersections.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
    n_classes : int
    features : SensitiveFeatures
    p : float or mapping
        Share of each group's labels.
    group : group, optional
        The only group that a number ``p`` is for.
    to : {"any", "group"}
        Whether a label is flipped to any other class, or to another one of its group's.
    name : str
        Of the parameter, for messages.
    rows : ndarray of bool of shape (n_samples,), optional
        Rows that may be flipped; all by default.

    Raises
    ------
    ValueError
        If a group is not there, or has no other class to be flipped to.

    Examples
    --------
    >>> from fairsk.utils import check_sensitive_features
    >>> sex = check_sensitive_features(["f", "m", "m", None])
    >>> flips = make_label_flips(np.array([0, 1, 2, 0]), 3, sex, p={"m": 1.0})
    >>> flips.draw(np.random.RandomState(0))[0].tolist()
    [0, 2, 1, 0]
    """
    encoder = GroupEncoder().fit(features)
    family = encoder.families_[0]
    member = encoder.transform(features).codes[:, 0]
    shares = values_by_group(p, family, 0.0, name=name, only=group)
    if rows is not None:
        member = np.where(rows, member, -1)
    choices = []
    for k, label in enumerate(family.labels):
        own = np.unique(codes[member == k]) if to == "group" else np.arange(n_classes)
        if shares[k] > 0 and len(own) < 2 and (member == k).any():
            raise ValueError(
                f"Group {label!r} has one class only; with to='group' there is no other class to "
                f"flip its labels to. Use to='any', or leave the group out."
            )
        choices.append(own)
    return LabelFlips(codes, member, shares, tuple(choices))
