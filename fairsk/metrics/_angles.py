"""How tight classes are in an embedding, and how far apart, by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, column_or_1d

from fairsk.utils import GroupEncoder, check_same_rows, check_sensitive_features


@dataclass(frozen=True)
class AngleReport:
    """Angles of embeddings by group, in degrees.

    Attributes
    ----------
    groups : tuple of str
    intra : ndarray of shape (n_groups,)
        Mean over classes of the mean angle between a row and the centre of its class: small is
        tight. NaN where no class of the group has two rows.
    inter : ndarray of shape (n_groups,)
        Mean over classes of the smallest angle between a centre and that of another class: large is
        well apart.
    n_rows, n_classes : ndarray of int of shape (n_groups,)
    """

    groups: tuple[str, ...]
    intra: np.ndarray
    inter: np.ndarray
    n_rows: np.ndarray
    n_classes: np.ndarray

    def __str__(self) -> str:
        width = max(len("group"), *(len(name) for name in self.groups))
        lines = [f"{'group':{width}}  intra  inter    rows  classes"]
        for name, intra, inter, rows, classes in zip(
            self.groups, self.intra, self.inter, self.n_rows, self.n_classes, strict=True
        ):
            lines.append(f"{name:{width}}  {intra:5.1f}  {inter:5.1f}  {rows:6,}  {classes:7,}")
        return "\n".join(lines)


def angles_by_group(embeddings: ArrayLike, y: ArrayLike, *, sensitive_features: Any) -> AngleReport:
    """Intra- and inter-class angles of embeddings, by group.

    The centre of a class is the mean of its normalised embeddings. The intra-class angle is the
    mean angle between rows and their centre, the inter-class angle the smallest one between the
    centre and another class's.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_components)
    y : array-like of shape (n_samples,)
        At least two classes.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)
        Rows with a missing value are left out.

    Returns
    -------
    AngleReport

    Raises
    ------
    ValueError
        If rows do not match, or the rows of known group are of one class.

    Notes
    -----
    An identity has one group; a class such as an age band has rows of several. There, each group's
    rows of a class have a centre of their own, so that a group is not measured by the others'
    centres. For identities that is the paper's definition.

    References
    ----------
    Cherepanova et al., Technical Challenges for Training Fair Neural Networks, section 4.4 and
    table 2.

    Examples
    --------
    >>> from fairsk.metrics import angles_by_group
    >>> report = angles_by_group(
    ...     [[1, 0.1], [1, -0.1], [0.1, 1], [-0.1, 1], [1, 1], [-1, 0]], [0, 0, 1, 1, 2, 3],
    ...     sensitive_features=["f", "f", "f", "f", "m", "m"])
    >>> print(report)
    group  intra  inter    rows  classes
    f        5.7   45.0       4        2
    m        nan   67.5       2        2
    """
    rows = check_array(embeddings, dtype=np.float64, input_name="embeddings")
    labels = np.asarray(column_or_1d(y))
    features = check_sensitive_features(sensitive_features, n_samples=len(rows))
    check_same_rows(embeddings=rows, y=labels)
    groups = GroupEncoder().fit_transform(features)
    group = groups.codes[:, 0]
    known = group >= 0
    rows, group = rows[known] / _length(rows[known]), group[known]
    classes, code = np.unique(labels[known], return_inverse=True)
    if len(classes) < 2:
        raise ValueError("The angle between classes needs two classes among the rows given.")
    n_groups = groups.n_groups
    cells, cell = np.unique(code * n_groups + group, return_inverse=True)
    cell_class, cell_group = np.divmod(cells, n_groups)
    size = np.bincount(cell)
    centre = np.zeros((len(cells), rows.shape[1]))
    np.add.at(centre, cell, rows)
    centre /= _length(centre)
    intra = np.bincount(cell, _angle(np.sum(rows * centre[cell], axis=1))) / size
    cosine = centre @ centre.T
    cosine[cell_class[:, None] == cell_class] = -np.inf
    inter = _angle(cosine.max(axis=1))
    return AngleReport(
        groups.labels,
        _mean_by(intra, cell_group, n_groups, size > 1),
        _mean_by(inter, cell_group, n_groups, size > 0),
        np.bincount(group, minlength=n_groups),
        np.bincount(cell_group, minlength=n_groups),
    )


def _length(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(length > 0, length, 1)


def _angle(cosine: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _mean_by(values: np.ndarray, group: np.ndarray, n_groups: int, keep: np.ndarray) -> np.ndarray:
    counts = np.bincount(group[keep], minlength=n_groups)
    sums = np.bincount(group[keep], values[keep], minlength=n_groups)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
