"""UCI Communities and Crime: the rate of violent crime of a community."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sklearn.utils import Bunch

from ._base import build_bunch, check_names, is_missing, read_bundled

_FILENAME = "communities.csv.gz"
_TARGET = "ViolentCrimesPerPop"
_SENSITIVE = ("racepctblack", "racePctWhite", "racePctAsian", "racePctHisp")


def load_communities(
    *,
    sensitive_features: str | Iterable[str] = ("racepctblack",),
    include_sensitive: bool = False,
    drop_missing_columns: bool = False,
    as_frame: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any, Any]:
    """Load the UCI Communities and Crime data set (regression, continuous sensitive features).

    =================   ==========================================================
    Rows                1,994
    Features            121, all numeric, without racepctblack
    Target              ViolentCrimesPerPop, between 0 and 1
    Sensitive           racepctblack, racePctWhite, racePctAsian, racePctHisp
    Missing values      in 23 columns
    =================   ==========================================================

    Parameters
    ----------
    sensitive_features : str or sequence of str, default=("racepctblack",)
        Which of "racepctblack", "racePctWhite", "racePctAsian" and "racePctHisp" are sensitive,
        in the order wanted.
    include_sensitive : bool, default=False
        Whether the sensitive columns stay in `data`. Those of the four that are not named in
        `sensitive_features` are ordinary features and always stay.
    drop_missing_columns : bool, default=False
        Whether to leave out the 23 columns with missing values, as most papers do.
    as_frame : bool, default=False
        If True, pandas objects: `data` a DataFrame, `target` a Series, `sensitive_features` a
        DataFrame. If False, NumPy arrays.
    return_X_y : bool, default=False
        If True, return ``(data, target, sensitive_features)`` instead of a Bunch. These are three
        objects, not scikit-learn's two, as a fair method cannot be fitted without the third.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        * data : ndarray of shape (n_samples, n_features), float64, or DataFrame
          NaN is missing.
        * target : ndarray of shape (n_samples,), float64, or Series
        * sensitive_features : ndarray of shape (n_samples, n_sensitive_features), or DataFrame
          float64, between 0 and 1.
        * state : ndarray of shape (n_samples,), int, or Series
          FIPS code of the state.
        * fold : ndarray of shape (n_samples,), int, or Series
          UCI's fold, 1 to 10.
        * frame : DataFrame with data, sensitive features and target, or None
        * feature_names, target_names, sensitive_feature_names : list of str
        * DESCR, filename : str

    (X, y, sensitive_features) : tuple, if `return_X_y`

    Notes
    -----
    Source: UCI Machine Learning Repository, "Communities and Crime" [1]_, compiled by Michael
    Redmond from the 1990 US Census, the 1990 survey of police departments (LEMAS) and the FBI's
    Uniform Crime Report of 1995. Licence: CC BY 4.0. Changes: names and codes of the communities
    left out, "?" made missing.

    A row is a community (a city or town) of the United States, from 45 states and the District of
    Columbia; there are 1,994 rows, 122 predictors and one target. The mean of the target is
    .238, its median .15.

    Every column was scaled by UCI to lie between 0 and 1, in steps of .01, and values more than
    three standard deviations from the mean were set to 0 or 1. So the numbers compare
    communities within a column; the four race columns are not percentages and do not add up
    to one.

    Caveats: 22 columns on the police were asked of large departments only and are missing in
    1,675 rows; `OtherPerCap` is missing in one. Communities whose police counted rapes in a
    disputed way, many of them in the Midwest, are not in the data. `racePctWhite` nearly mirrors
    `racepctblack` (correlation -.79): leaving out one of them alone makes no model blind.

    References
    ----------
    .. [1] Redmond, M. (2009). Communities and Crime. UCI Machine Learning Repository.
       https://doi.org/10.24432/C53W3X

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.datasets import load_communities
    >>> crime = load_communities(drop_missing_columns=True)
    >>> crime.data.shape, crime.sensitive_features.shape
    ((1994, 98), (1994, 1))
    >>> print(f"{np.corrcoef(crime.sensitive_features[:, 0], crime.target)[0, 1]:.3f}")
    0.631
    """
    names = check_names(sensitive_features, _SENSITIVE, "sensitive_features")
    table = read_bundled(_FILENAME)
    dropped = [_TARGET, "state", "fold"] + ([] if include_sensitive else names)
    features = {name: column for name, column in table.items() if name not in dropped}
    if drop_missing_columns:
        features = {n: column for n, column in features.items() if not is_missing(column).any()}
    return build_bunch(
        features,
        target=table[_TARGET],
        target_column=_TARGET,
        target_names=[_TARGET],
        sensitive={name: table[name] for name in names},
        loader=load_communities,
        filename=_FILENAME,
        as_frame=as_frame,
        return_X_y=return_X_y,
        extras={"state": table["state"], "fold": table["fold"]},
    )
