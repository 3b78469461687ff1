"""Posts with several labels and the groups they speak of, as hashed bags of words."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import Bunch

from ._base import notes_of, read_arrays

_ENTRIES = ("data", "indices", "indptr", "shape", "Y", "tasks", "A", "groups")


def load_hatexplain(
    *, path: str | os.PathLike | None = None, return_X_y: bool = False
) -> Bunch | tuple[Any, Any, Any]:
    """Load hashed HateXplain posts (two tasks, eight groups, not exclusive).

    =================   ==========================================================
    Rows                19,229
    Features            1,000 hashed word counts, sparse
    Target              offensive, hatespeech (0 or 1 each)
    Sensitive           8 indicators: which groups the post speaks of
    =================   ==========================================================

    The file `hatexplain_hashed.npz` is not bundled: it is read from `path`, or from the folder
    named by the environment variable ``FAIRSK_DATA``.

    Parameters
    ----------
    path : str or path-like, default=None
        The file, or a folder with it.
    return_X_y : bool, default=False
        If True, return ``(data, target, sensitive_features)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : csr_matrix of shape (n_samples, 1000), float32
        target : ndarray of shape (n_samples, n_tasks), int
        sensitive_features : ndarray of shape (n_samples, n_groups), int
        feature_names : list of str, empty: the words are not known
        target_names, sensitive_feature_names : list of str
        DESCR, filename : str

    (X, Y, sensitive_features) : tuple, if `return_X_y`

    Raises
    ------
    FileNotFoundError
        If the file is in neither place.

    Notes
    -----
    Source: Mathew et al., HateXplain [1]_, MIT licence. The text was hashed to 1,000 buckets and
    is not here.

    Caveats: the labels are what annotators thought. A group is one that is mentioned or targeted,
    not one the author belongs to. No post has both labels, so that the system's label (either) is
    their sum.

    References
    ----------
    .. [1] Mathew, B. et al. (2021). HateXplain: A Benchmark Dataset for Explainable Hate Speech
       Detection. AAAI. https://github.com/hate-alert/HateXplain

    Examples
    --------
    >>> from fairsk.datasets import load_hatexplain
    >>> load_hatexplain(path="nowhere.npz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: There is no file nowhere.npz...
    """
    return _load("hatexplain_hashed.npz", path, return_X_y, load_hatexplain)


def load_mlma(
    *, path: str | os.PathLike | None = None, return_X_y: bool = False
) -> Bunch | tuple[Any, Any, Any]:
    """Load hashed MLMA tweets (five tasks, four groups): hardly any is negative on every task.

    =================   ==========================================================
    Rows                5,647
    Features            1,000 hashed word counts, sparse
    Target              offensive, hateful, disrespectful, abusive, fearful (0 or 1)
    Sensitive           4 indicators: which attribute the tweet targets
    =================   ==========================================================

    The file `mlma_hashed.npz` is not bundled: it is read from `path`, or from the folder named by
    the environment variable ``FAIRSK_DATA``.

    Parameters
    ----------
    path : str or path-like, default=None
        The file, or a folder with it.
    return_X_y : bool, default=False
        If True, return ``(data, target, sensitive_features)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As of `load_hatexplain`.

    (X, Y, sensitive_features) : tuple, if `return_X_y`

    Raises
    ------
    FileNotFoundError
        If the file is in neither place.

    Notes
    -----
    Source: Ousidhoum et al., MLMA [1]_, the English part, MIT licence; hashed as HateXplain.

    Caveats: 88 % of the tweets have some label, so that only 661 are negative on every task, and
    the labels are nearly unlearnable from hashed words (ROC AUC of .5 to .6). It shows what
    happens where negatives are few, not how good a method is.

    References
    ----------
    .. [1] Ousidhoum, N. et al. (2019). Multilingual and Multi-Aspect Hate Speech Analysis. EMNLP.
       https://github.com/HKUST-KnowComp/MLMA_hate_speech

    Examples
    --------
    >>> from fairsk.datasets import load_mlma
    >>> load_mlma(path="nowhere.npz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: There is no file nowhere.npz...
    """
    return _load("mlma_hashed.npz", path, return_X_y, load_mlma)


def _load(
    name: str, path: str | os.PathLike | None, return_X_y: bool, loader: Callable
) -> Bunch | tuple[Any, Any, Any]:
    table, file = read_arrays(name, path, _ENTRIES)
    X = sparse.csr_matrix(
        (table["data"].astype(np.float32), table["indices"], table["indptr"]),
        shape=tuple(table["shape"]),
    )
    Y, A = table["Y"].astype(np.int64), table["A"].astype(np.int64)
    if return_X_y:
        return X, Y, A
    return Bunch(
        data=X,
        target=Y,
        sensitive_features=A,
        feature_names=[],
        target_names=table["tasks"].tolist(),
        sensitive_feature_names=table["groups"].tolist(),
        DESCR=notes_of(loader),
        filename=str(file),
    )
