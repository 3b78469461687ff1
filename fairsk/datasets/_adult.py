"""UCI Adult: does a person earn more than 50,000 dollars a year?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ._base import (
    build_bunch,
    check_names,
    is_missing,
    levels_of,
    read_bundled,
    rows_of_races,
    take_rows,
)

_FILENAME = "adult.csv.gz"
_SENSITIVE = ("sex", "race", "age")
# Not predictors: the census weight, the target, UCI's split, and the names of education_num.
_NOT_FEATURES = ("fnlwgt", "income", "split", "education")


def load_adult(
    *,
    sensitive_features: str | Iterable[str] = ("sex", "race"),
    include_sensitive: bool = False,
    races: str | Iterable[str] | None = None,
    subset: str = "all",
    dropna: bool = False,
    as_frame: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any, Any]:
    """Load the UCI Adult data set (binary classification).

    =================   =====================================
    Rows                48,842 (UCI train 32,561, test 16,281)
    Features            10 (5 categorical), without sex and race
    Target              income above 50,000 dollars: 23.9 %
    Sensitive           sex, race, age
    Missing values      in 3,620 rows
    =================   =====================================

    Parameters
    ----------
    sensitive_features : str or sequence of str, default=("sex", "race")
        Which of "sex", "race" and "age" are sensitive, in the order wanted.
    include_sensitive : bool, default=False
        Whether the sensitive columns stay in `data`. Those of the three that are not named in
        `sensitive_features` are ordinary features and always stay.
    races : str or sequence of str, default=None
        Keep only the rows of these races, for example ("White", "Black") as in many papers.
        None keeps all five.
    subset : {"all", "train", "test"}, default="all"
        UCI's own split. Both parts have the same columns in the same order.
    dropna : bool, default=False
        Whether to leave out the rows with a missing value.
    as_frame : bool, default=False
        If True, pandas objects: `data` with categoricals (a missing value is NaN), `target` a
        Series, `sensitive_features` a DataFrame. If False, NumPy arrays: categorical features are
        one-hot encoded, `column_level` in `feature_names`, and a missing category is all zeros.
    return_X_y : bool, default=False
        If True, return ``(data, target, sensitive_features)`` instead of a Bunch. These are three
        objects, not scikit-learn's two, as a fair method cannot be fitted without the third.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        * data : ndarray of shape (n_samples, n_features), float64, or DataFrame
        * target : ndarray of shape (n_samples,), int, or Series
          1 for an income above 50,000 dollars.
        * sensitive_features : ndarray of shape (n_samples, n_sensitive_features) or DataFrame
          Strings (dtype object); float64 if age is the only one; age is a number next to strings.
        * sample_weight : ndarray of shape (n_samples,) or Series
          The census weight `fnlwgt`: how many people a row stands for.
        * split : ndarray of shape (n_samples,) or Series
          "train" or "test".
        * frame : DataFrame with data, sensitive features and target, or None
        * feature_names, target_names, sensitive_feature_names : list of str
        * DESCR, filename : str

    (X, y, sensitive_features) : tuple, if `return_X_y`

    Notes
    -----
    Source: UCI Machine Learning Repository, "Adult" (also "Census Income") [1]_, extracted by
    Barry Becker from the 1994 Current Population Survey of the US Census Bureau. Licence: CC BY
    4.0. Changes: spaces trimmed, "?" made missing, both parts put into one file.

    A row is a person older than 16 who worked at least an hour a week. There are 48,842 rows,
    32,561 in UCI's training part; 11,687 (23.9 %) have an income above 50,000 dollars. 32,650 are
    men and 16,192 women; 41,762 are White, 4,685 Black, 1,519 Asian or Pacific Islander, 470
    American Indian or Eskimo, 406 Other. `workclass`, `occupation` and `native_country` have
    2,799, 2,809 and 857 missing values.

    `fnlwgt` is the survey's weight, not a trait of the person, and is returned as
    `sample_weight`. `education` names the levels of `education_num` one to one (1 Preschool, 9
    HS-grad, 10 Some-college, 13 Bachelors, 16 Doctorate) and is left out as redundant.

    Caveats: `relationship` (Husband, Wife) gives sex away, so that leaving sex out of X makes no
    model blind. In 1994 50,000 dollars was a high income, and disparities depend on that
    threshold [2]_. Some groups of sex and race are tiny: 155 women of race Other, 11 of them with
    a positive label. 52 rows occur twice. See :func:`fetch_acs_income` for a larger and more
    recent relative.

    References
    ----------
    .. [1] Becker, B. and Kohavi, R. (1996). Adult. UCI Machine Learning Repository.
       https://doi.org/10.24432/C5XW20
    .. [2] Ding, F., Hardt, M., Miller, J. and Schmidt, L. (2021). Retiring Adult: new datasets
       for fair machine learning. NeurIPS.

    Examples
    --------
    >>> from fairsk.datasets import load_adult
    >>> adult = load_adult()
    >>> adult.data.shape, adult.sensitive_features.shape
    ((48842, 81), (48842, 2))
    >>> women = adult.sensitive_features[:, 0] == "Female"
    >>> print(f"{adult.target[women].mean():.3f} {adult.target[~women].mean():.3f}")
    0.109 0.304
    """
    names = check_names(sensitive_features, _SENSITIVE, "sensitive_features")
    if subset not in ("all", "train", "test"):
        raise ValueError(f"subset must be 'all', 'train' or 'test'; got {subset!r}.")
    table = read_bundled(_FILENAME)
    dropped = _NOT_FEATURES if include_sensitive else (*_NOT_FEATURES, *names)
    features = [name for name in table if name not in dropped]
    table = take_rows(table, rows_of_races(table["race"], races))
    # Before `subset` and `dropna`, so that training and test part get the same one-hot columns.
    levels = {name: levels_of(table[name]) for name in features if table[name].dtype == object}

    keep = np.ones(len(table["income"]), dtype=bool)
    if subset != "all":
        keep &= table["split"] == subset
    if dropna:
        keep &= ~np.any([is_missing(column) for column in table.values()], axis=0)
    table = take_rows(table, keep)
    return build_bunch(
        {name: table[name] for name in features},
        target=(table["income"] == ">50K").astype(np.int64),
        target_column="income",
        target_names=["<=50K", ">50K"],
        sensitive={name: table[name] for name in names},
        loader=load_adult,
        filename=_FILENAME,
        as_frame=as_frame,
        return_X_y=return_X_y,
        levels=levels,
        extras={"sample_weight": table["fnlwgt"].astype(np.float64), "split": table["split"]},
    )
