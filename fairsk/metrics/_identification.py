"""Identification by nearest neighbour, and the angles of embeddings, by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, column_or_1d

from fairsk.metrics._routed_scorer import RoutedScorer
from fairsk.utils import GroupEncoder, check_same_rows, check_sensitive_features

# Similarities that are held at a time: 64 MB of double precision.
_BLOCK = 8_388_608
SCORES = ("rate", "worst_group", "neg_gap")


@dataclass(frozen=True)
class IdentificationReport:
    """Rank-1 identification of probes, over all and by group.

    Attributes
    ----------
    rate : float
        Share of the probes whose nearest neighbour has their class; NaN without a probe.
    by_group : dict
        The same by group; NaN for a group without a probe.
    counts : dict
        Probes of each group.
    is_hit : ndarray of shape (n_samples,)
        1 or 0 for a probe; NaN for a row that is none, since nothing in the gallery has its class.
    """

    rate: float
    by_group: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    is_hit: np.ndarray = field(repr=False, default_factory=lambda: np.zeros(0))

    @property
    def gap(self) -> float:
        """Largest minus smallest rate of a group that has probes; NaN for none."""
        rates = [rate for rate in self.by_group.values() if rate == rate]
        return max(rates) - min(rates) if rates else float("nan")

    @property
    def worst_group(self) -> float:
        """Smallest rate of a group that has probes; NaN for none."""
        return min((rate for rate in self.by_group.values() if rate == rate), default=float("nan"))


def rank1_identification(
    embeddings: ArrayLike,
    y: ArrayLike,
    *,
    gallery: ArrayLike | None = None,
    gallery_y: ArrayLike | None = None,
    sensitive_features: Any = None,
    groups: str = "intersectional",
) -> IdentificationReport:
    """Share of probes whose nearest neighbour by cosine is of their own class.

    So face recognition is measured on people whom the network was not trained on: the head of the
    training is left away, and embeddings are compared.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_components)
        Of the probes; they need not be normalised.
    y : array-like of shape (n_samples,)
        Their classes or identities.
    gallery : array-like of shape (n_gallery, n_components), optional
        Embeddings of known identity. Without, each row is a probe among all others.
    gallery_y : array-like of shape (n_gallery,), optional
        Given with `gallery`.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features), optional
        Of the probes. Missing means unknown: such a row counts in the whole and in no group.
    groups : {"intersectional", "independent"}, default="intersectional"

    Returns
    -------
    IdentificationReport

    Raises
    ------
    ValueError
        If rows do not match, embeddings have different widths, or only one of gallery and gallery_y
        is given.

    Notes
    -----
    A row of whose class nothing is in the gallery cannot be identified: it is no probe. Of
    neighbours equally near the first one counts. Time grows with probes times gallery; memory does
    not.

    References
    ----------
    Cherepanova et al., Technical Challenges for Training Fair Neural Networks, section 2.1.

    Examples
    --------
    >>> from fairsk.metrics import rank1_identification
    >>> report = rank1_identification(
    ...     [[1, 0], [1, 0.1], [0, 1], [0.9, 0]], ["ann", "ann", "bob", "bob"],
    ...     sensitive_features=["f", "f", "m", "m"])
    >>> report.rate, report.by_group, report.gap
    (0.25, {'f': 0.5, 'm': 0.0}, 0.5)
    """
    if (gallery is None) != (gallery_y is None):
        raise ValueError("gallery and gallery_y go together; only one of them was given.")
    probes = _unit_rows(embeddings, "embeddings")
    labels = np.asarray(column_or_1d(y))
    check_same_rows(embeddings=probes, y=labels, sensitive_features=sensitive_features)
    known = probes if gallery is None else _unit_rows(gallery, "gallery")
    known_y = labels if gallery_y is None else np.asarray(column_or_1d(gallery_y))
    check_same_rows(gallery=known, gallery_y=known_y)
    if known.shape[1] != probes.shape[1]:
        raise ValueError(
            f"The gallery has {known.shape[1]} columns, the embeddings {probes.shape[1]}."
        )
    is_hit = _hits(probes, labels, known, known_y, leave_out=gallery is None)
    counted = is_hit == is_hit
    rate = float(is_hit[counted].mean()) if counted.any() else float("nan")
    if sensitive_features is None:
        return IdentificationReport(rate, is_hit=is_hit)
    found = GroupEncoder(groups).fit_transform(check_sensitive_features(sensitive_features))
    by_group, counts = {}, {}
    for label, member in zip(found.labels, found.indicators().toarray().T > 0, strict=True):
        hits = is_hit[member & counted]
        by_group[label] = float(hits.mean()) if len(hits) else float("nan")
        counts[label] = len(hits)
    return IdentificationReport(rate, by_group, counts, is_hit)


def _unit_rows(values: Any, name: str) -> np.ndarray:
    """Rows of length one; those of length zero stay zero, and are near to nothing."""
    rows = check_array(values, dtype=[np.float64, np.float32], input_name=name)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1)


def _hits(
    probes: np.ndarray, y: np.ndarray, known: np.ndarray, known_y: np.ndarray, leave_out: bool
) -> np.ndarray:
    names, counts = np.unique(known_y, return_counts=True)
    place = np.minimum(np.searchsorted(names, y), len(names) - 1)
    # Its own row is in the gallery too, and does not count.
    is_probe = (names[place] == y) & (counts[place] > int(leave_out))
    nearest = np.zeros(len(probes), dtype=np.intp)
    step = max(1, _BLOCK // len(known))
    for start in range(0, len(probes), step):
        part = slice(start, start + step)
        similarity = probes[part] @ known.T
        if leave_out:
            rows = np.arange(len(similarity))
            similarity[rows, start + rows] = -np.inf
        nearest[part] = similarity.argmax(axis=1)
    return np.where(is_probe, (known_y[nearest] == y).astype(float), np.nan)


class _IdentificationScorer(RoutedScorer):
    """Scores an estimator by rank-1 identification of what its ``transform`` returns."""

    def __init__(
        self, score: str, gallery: Any, sensitive_columns: Any, groups: str, description: str
    ) -> None:
        super().__init__(False, sensitive_columns, description)
        self._name, self._gallery, self._groups = score, gallery, groups

    def _score(self, estimator: Any, X: Any, y: Any, groups: Any, metadata: dict) -> float:
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"{self!r} compares embeddings, but the estimator has no transform method."
            )
        if self._name != "rate" and groups is None:
            raise ValueError(
                f"{self!r} got no sensitive features. Give it sensitive_columns=[...], or call "
                f"sklearn.set_config(enable_metadata_routing=True) and pass sensitive_features."
            )
        given: dict[str, Any] = {}
        if self._gallery is not None:
            gallery_X, gallery_y = self._gallery
            given = {"gallery": estimator.transform(gallery_X), "gallery_y": gallery_y}
        report = rank1_identification(
            estimator.transform(X),
            np.asarray(y),
            sensitive_features=groups,
            groups=self._groups,
            **given,
        )
        return -report.gap if self._name == "neg_gap" else float(getattr(report, self._name))


def make_identification_scorer(
    score: str = "rate",
    *,
    gallery: tuple[Any, Any] | None = None,
    sensitive_columns: Sequence[str | int] | None = None,
    groups: str = "intersectional",
) -> RoutedScorer:
    """A scorer of rank-1 identification by what ``transform`` returns; greater is better.

    Parameters
    ----------
    score : {"rate", "worst_group", "neg_gap"}, default="rate"
        Of all probes, of the worst group, or minus the largest difference between groups.
    gallery : pair (X, y), optional
        Rows of known identity. Without, each scored row is a probe among the others.
    sensitive_columns : list of str or int, optional
        Columns of X that hold the groups, while routing is off. As in `make_fairness_scorer`.
    groups : {"intersectional", "independent"}, default="intersectional"

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sensitive_features=None) -> float``.

    Raises
    ------
    ValueError
        If the score is unknown, or the gallery is no pair.

    Examples
    --------
    >>> from sklearn.preprocessing import Normalizer
    >>> scorer = make_identification_scorer("neg_gap")
    >>> scorer(Normalizer(), [[1, 0], [1, 0.1], [0, 1], [1, 0]], [0, 0, 1, 1],
    ...     sensitive_features=["f", "f", "m", "m"])
    -0.5
    """
    if score not in SCORES:
        raise ValueError(f"score must be one of {list(SCORES)}, got {score!r}.")
    if gallery is not None and (not isinstance(gallery, tuple | list) or len(gallery) != 2):
        raise ValueError("gallery is a pair (X, y) of rows whose identity is known.")
    described = f"make_identification_scorer({score!r})"
    return _IdentificationScorer(score, gallery, sensitive_columns, groups, described)


# The scorer that a search takes as it is.
rank1_identification_scorer = make_identification_scorer()
