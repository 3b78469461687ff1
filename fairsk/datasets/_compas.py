"""ProPublica's COMPAS data: is a defendant arrested again within two years?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sklearn.utils import Bunch

from ._base import build_bunch, check_names, read_bundled, rows_of_races, take_rows

_FILENAME = "compas.csv.gz"
_SENSITIVE = ("race", "sex", "age")


def load_compas(
    *,
    sensitive_features: str | Iterable[str] = ("race", "sex"),
    include_sensitive: bool = False,
    races: str | Iterable[str] | None = ("African-American", "Caucasian"),
    as_frame: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any, Any]:
    """Load the COMPAS recidivism data set (binary classification).

    =================   ================================================
    Rows                5,278 (two races, the default), 6,172 (all races)
    Features            7 (2 categorical), without race and sex
    Target              re-arrested within two years: 47.0 %, 45.5 %
    Sensitive           race, sex, age
    Missing values      none
    =================   ================================================

    Parameters
    ----------
    sensitive_features : str or sequence of str, default=("race", "sex")
        Which of "race", "sex" and "age" are sensitive, in the order wanted.
    include_sensitive : bool, default=False
        Whether the sensitive columns stay in `data`. `age_cat` leaves and stays with `age`, of
        which it is a coarse copy. Those of the three that are not named in `sensitive_features`
        are ordinary features and always stay.
    races : str or sequence of str or None, default=("African-American", "Caucasian")
        Keep only the rows of these races; the default is what most papers use. None keeps all
        six.
    as_frame : bool, default=False
        If True, pandas objects: `data` with categoricals, `target` a Series, `sensitive_features`
        a DataFrame. If False, NumPy arrays: categorical features are one-hot encoded,
        `column_level` in `feature_names`.
    return_X_y : bool, default=False
        If True, return ``(data, target, sensitive_features)`` instead of a Bunch. These are three
        objects, not scikit-learn's two, as a fair method cannot be fitted without the third.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        * data : ndarray of shape (n_samples, n_features), float64, or DataFrame
        * target : ndarray of shape (n_samples,), int, or Series
          1 for a person arrested again: here the positive label is the bad outcome.
        * sensitive_features : ndarray of shape (n_samples, n_sensitive_features) or DataFrame
          Strings (dtype object); float64 if age is the only one; age is a number next to strings.
        * frame : DataFrame with data, sensitive features and target, or None
        * feature_names, target_names, sensitive_feature_names : list of str
        * DESCR, filename : str

    (X, y, sensitive_features) : tuple, if `return_X_y`

    Notes
    -----
    Source: public court records of Broward County, Florida, 2013 and 2014, obtained and published
    by ProPublica [1]_ (file compas-scores-two-years.csv). Changes: ProPublica's own filter (a
    COMPAS score within 30 days of the arrest, a known outcome, no ordinary traffic offence), ten
    columns kept; names, dates and COMPAS's own scores are not in the file.

    A row is a defendant who was scored before trial. Of the 6,172 rows 2,809 (45.5 %) are of
    people arrested again within two years: 3,175 African-American (52.3 %), 2,103 Caucasian
    (39.1 %), 509 Hispanic (37.1 %), 343 Other (36.2 %), 31 Asian (25.8 %), 11 Native American.
    4,997 are men and 1,175 women. `c_charge_degree` is F (felony) or M (misdemeanour), the
    `juv_*_count` columns and `priors_count` count earlier charges.

    Caveats: a new arrest is not a new crime, and arrests are themselves uneven between groups,
    so that the label carries the bias a model is asked about. The two-year sample was cut
    differently for those arrested again and the others, which makes the share of the former too
    high [2]_. Predicting recidivism here is a benchmark, not a use to imitate.

    References
    ----------
    .. [1] Larson, J., Mattu, S., Kirchner, L. and Angwin, J. (2016). How we analyzed the COMPAS
       recidivism algorithm. ProPublica. https://github.com/propublica/compas-analysis
    .. [2] Barenstein, M. (2019). ProPublica's COMPAS data revisited. arXiv:1906.04711.

    Examples
    --------
    >>> from fairsk.datasets import load_compas
    >>> X, y, race = load_compas(sensitive_features="race", return_X_y=True)
    >>> X.shape, race.shape
    ((5278, 12), (5278, 1))
    >>> for name in ("African-American", "Caucasian"):
    ...     print(name, f"{y[race[:, 0] == name].mean():.3f}")
    African-American 0.523
    Caucasian 0.391
    """
    names = check_names(sensitive_features, _SENSITIVE, "sensitive_features")
    table = read_bundled(_FILENAME)
    dropped = ["two_year_recid"]
    if not include_sensitive:
        dropped += names + (["age_cat"] if "age" in names else [])
    table = take_rows(table, rows_of_races(table["race"], races))
    return build_bunch(
        {name: column for name, column in table.items() if name not in dropped},
        target=table["two_year_recid"],
        target_column="two_year_recid",
        target_names=["not re-arrested", "re-arrested"],
        sensitive={name: table[name] for name in names},
        loader=load_compas,
        filename=_FILENAME,
        as_frame=as_frame,
        return_X_y=return_X_y,
    )
