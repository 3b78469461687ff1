"""FairFace thumbnails: the stand-in for faces, small, grey and without identities."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ._base import (
    check_names,
    import_pandas,
    notes_of,
    read_arrays,
    rows_of_races,
    stack_sensitive,
    to_frame,
)

_FILENAME = "fairface_2k_gray32.npz"
_ENTRIES = ("x", "race", "age", "female", "val", "race_names", "age_names")
_COLUMNS = ("race", "gender", "age")


def load_fairface(
    *,
    target: str = "gender",
    sensitive_features: str | Iterable[str] = ("race",),
    races: str | Iterable[str] | None = None,
    path: str | os.PathLike | None = None,
    as_frame: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any, Any]:
    """Load grey FairFace thumbnails (classification, seven races).

    =================   ==========================================================
    Rows                2,100: 150 of each race and gender
    Features            1,024 pixels (32 x 32), from 0 (black) to 1 (white)
    Target              gender (1 for female), or age (9 bands), or race (7)
    Sensitive           race, gender, age
    Missing values      none
    =================   ==========================================================

    The file `fairface_2k_gray32.npz` is not bundled: it is read from `path`, or from the folder
    named by the environment variable ``FAIRSK_DATA``.

    Parameters
    ----------
    target : {"gender", "age", "race"}, default="gender"
    sensitive_features : str or sequence of str, default=("race",)
        Which of "race", "gender" and "age" are sensitive, in the order wanted. The target may be
        among them: a margin by class is one by group.
    races : str or sequence of str or None, default=None
        Keep only the rows of these races; None keeps all seven.
    path : str or path-like, default=None
        The file, or a folder with it.
    as_frame : bool, default=False
        If True, pandas objects: `data` with a column a pixel, `target` a Series,
        `sensitive_features` a DataFrame of categoricals.
    return_X_y : bool, default=False
        If True, return ``(data, target, sensitive_features)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        * data : ndarray of shape (n_samples, 1024), float32, or DataFrame
        * images : ndarray of shape (n_samples, 32, 32), float32
          The same numbers.
        * target : ndarray of shape (n_samples,), int, or Series
          Position in `target_names`; age bands are in their order.
        * sensitive_features : ndarray of shape (n_samples, n_sensitive_features) or DataFrame
          Strings (dtype object).
        * is_validation : ndarray of shape (n_samples,), bool
          Whether the row is of FairFace's own validation part.
        * frame : DataFrame with data, target and sensitive features that are not it, or None
        * feature_names, target_names, sensitive_feature_names : list of str
        * DESCR, filename : str

    (X, y, sensitive_features) : tuple, if `return_X_y`

    Raises
    ------
    FileNotFoundError
        If the file is in neither place.
    ValueError
        If a name is unknown.

    Notes
    -----
    Source: FairFace [1]_. Licence: CC BY 4.0. Changes: a sample of 150 images of each of seven
    races and two genders, turned grey and shrunk to 32 x 32.

    A row is a face in a photograph from Flickr, with the race, gender and age band that the
    majority of three annotators saw in it.

    Caveats: race, gender and age are what annotators saw, not what people say of themselves, and
    gender has two values only. No identities are known, so that this stands in for face
    recognition without being it. Races and genders are balanced, age bands are not: 23 people of
    70 and above, 622 from 20 to 29.

    References
    ----------
    .. [1] Karkkainen, K. and Joo, J. (2021). FairFace: Face Attribute Dataset for Balanced Race,
       Gender, and Age for Bias Measurement and Mitigation. WACV.
       https://github.com/joojs/fairface

    Examples
    --------
    >>> from fairsk.datasets import load_fairface
    >>> load_fairface(path="nowhere.npz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: There is no file nowhere.npz...
    """
    names = check_names(sensitive_features, _COLUMNS, "sensitive_features")
    check_names(target, _COLUMNS, "target")
    arrays, file = read_arrays(_FILENAME, path, _ENTRIES)
    levels = {
        "race": arrays["race_names"].tolist(),
        "gender": ["male", "female"],
        "age": arrays["age_names"].tolist(),
    }
    codes = {"race": arrays["race"], "gender": arrays["female"], "age": arrays["age"]}
    columns = {name: np.array(levels[name], dtype=object)[codes[name]] for name in _COLUMNS}
    keep = rows_of_races(columns["race"], races)
    images = arrays["x"][keep] / np.float32(255)
    X, y = images.reshape(len(images), -1), codes[target][keep].astype(np.int64)
    sensitive = {name: columns[name][keep] for name in names}
    feature_names = [f"pixel_{j}" for j in range(X.shape[1])]
    frame = None
    if as_frame:
        pd = import_pandas("load_fairface")
        groups: Any = to_frame(pd, sensitive, levels, ())
        frame = pd.DataFrame(X, columns=feature_names)
        data: Any = frame
        frame = frame.assign(**{name: groups[name] for name in names if name != target})
        frame[target] = y
        label: Any = pd.Series(y, name=target)
    else:
        data, label, groups = X, y, stack_sensitive(sensitive)
    if return_X_y:
        return data, label, groups
    return Bunch(
        data=data,
        images=images,
        target=label,
        sensitive_features=groups,
        is_validation=arrays["val"][keep].astype(bool),
        frame=frame,
        feature_names=feature_names,
        target_names=levels[target],
        sensitive_feature_names=names,
        DESCR=notes_of(load_fairface),
        filename=str(file),
    )
