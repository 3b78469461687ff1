"""ACSIncome: the income of 1.66 million people, a large and recent relative of Adult."""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.validation import check_scalar

from ._acs_sources import FEATURES, LOCAL_TARGET, OPENML_ID, read_local, read_openml
from ._base import Table, build_bunch, check_names, rows_of_races, take_rows

_CATEGORICAL = ("COW", "MAR", "OCCP", "POBP", "RELP", "SEX", "RAC1P")
_SENSITIVE = ("SEX", "RAC1P", "AGEP")
_LABELS = {
    "SEX": {1: "Male", 2: "Female"},
    "RAC1P": {
        1: "White",
        2: "Black",
        3: "American Indian",
        4: "Alaska Native",
        5: "American Indian or Alaska Native, unspecified",
        6: "Asian",
        7: "Pacific Islander",
        8: "Other",
        9: "Two or more",
    },
}


def fetch_acs_income(
    *,
    sensitive_features: str | Iterable[str] = ("SEX", "RAC1P"),
    include_sensitive: bool = False,
    races: str | Iterable[str] | None = None,
    threshold: float = 50_000,
    path: str | os.PathLike | None = None,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    cache: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    as_frame: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, Any, Any]:
    """Load the ACSIncome data set of 2018 (binary classification), downloading it if needed.

    =================   ==================================================
    Rows                1,664,500 (all states and Puerto Rico)
    Features            8 (5 categorical codes), without SEX and RAC1P
    Target              income above `threshold` dollars: 36.9 % at 50,000
    Sensitive           SEX, RAC1P (race), AGEP (age)
    Missing values      none
    =================   ==================================================

    The data are looked for in this order: the file `path`; the file `acs_income.csv.gz` in the
    folder named by the environment variable ``FAIRSK_DATA``; the cache; OpenML. A local file
    needs no network and may hold any part of the rows. Its columns are the ten features and
    either `PINCP`, the income in dollars, or `income_gt_50k`, 0 or 1; a file with the latter
    only knows no other threshold: one in ``FAIRSK_DATA`` is then passed over.

    Parameters
    ----------
    sensitive_features : str or sequence of str, default=("SEX", "RAC1P")
        Which of "SEX", "RAC1P" and "AGEP" are sensitive, in the order wanted.
    include_sensitive : bool, default=False
        Whether the sensitive columns stay in `data`. Those of the three that are not named in
        `sensitive_features` are ordinary features and always stay.
    races : str or sequence of str, default=None
        Keep only the rows of these races, for example ("White", "Black"). None keeps all nine.
    threshold : float, default=50_000
        The target is 1 for an income (PINCP) above this many dollars.
    path : str or path-like, default=None
        A csv file, gzipped or not, or a folder with the file `acs_income.csv.gz`.
    data_home : str or path-like, default=None
        Folder of the cache; by default scikit-learn's, `~/scikit_learn_data`.
    download_if_missing : bool, default=True
        If False, raise an OSError where the data are neither in a local file nor in the cache.
    cache : bool, default=True
        Whether to keep what was downloaded: OpenML's files and the parsed columns. Parsing takes
        longer than reading them.
    n_retries, delay : int, float, default=3, 1.0
        How often to try again after a network error, and how many seconds to wait before.
    as_frame : bool, default=False
        If True, pandas objects: `data` with categoricals for the codes, `target` a Series,
        `sensitive_features` a DataFrame. If False, NumPy arrays: `data` holds the **codes as
        numbers**, since one-hot columns (over 700) would fill ten gigabytes; encode those named
        in `categorical_features`, or use a model that does.
    return_X_y : bool, default=False
        If True, return ``(data, target, sensitive_features)`` instead of a Bunch. These are three
        objects, not scikit-learn's two, as a fair method cannot be fitted without the third.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        * data : ndarray of shape (n_samples, n_features), float64, or DataFrame
        * target : ndarray of shape (n_samples,), int, or Series
        * sensitive_features : ndarray of shape (n_samples, n_sensitive_features) or DataFrame
          Strings (dtype object); float64 if AGEP is the only one; AGEP is a number next to
          strings.
        * categorical_features : list of str
          Those of `feature_names` whose numbers are codes.
        * income : ndarray of shape (n_samples,) or Series, or None if the file has no PINCP
        * state : ndarray of shape (n_samples,) or Series, or None if the file has no ST
          FIPS code of the state.
        * frame : DataFrame with data, sensitive features and target, or None
        * feature_names, target_names, sensitive_feature_names : list of str
        * DESCR, filename : str
          `filename` is the local file or the address of the data set.

    (X, y, sensitive_features) : tuple, if `return_X_y`

    Notes
    -----
    Source: American Community Survey, Public Use Microdata Sample of 2018, US Census Bureau, as
    selected by folktables [1]_ and uploaded to OpenML by Fairlearn (ACSIncome, data id 43141).
    The microdata are in the public domain.

    A row is a person older than 16 who worked at least one hour a week in the past year and
    had an income above 100 dollars. There are 1,664,500 rows from the 50 states and Puerto
    Rico. AGEP is age, SCHL schooling (1 to 24, ordered), WKHP hours worked a week; COW class of
    worker, MAR marital status, OCCP occupation, POBP place of birth and RELP relationship in the
    household are codes of the survey's data dictionary. SEX and RAC1P are spelled out.

    Caveats: a person's survey weight is not in the data, so rates are rates of the sample. The
    disparity between groups depends on `threshold` [1]_. RELP with MAR gives some of SEX away.
    Four of the nine races make up about 1 % of the rows together.

    References
    ----------
    .. [1] Ding, F., Hardt, M., Miller, J. and Schmidt, L. (2021). Retiring Adult: new datasets
       for fair machine learning. NeurIPS. https://github.com/socialfoundations/folktables

    Examples
    --------
    A file of two rows stands for the data here:

    >>> import pathlib, tempfile
    >>> from fairsk.datasets import fetch_acs_income
    >>> text = '''AGEP,COW,SCHL,MAR,OCCP,POBP,RELP,WKHP,SEX,RAC1P,PINCP
    ... 53,5,17,5,3605,18,16,40,1,1,31000
    ... 41,1,22,1,2310,6,0,45,2,6,64000'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "two.csv"
    ...     _ = path.write_text(text)
    ...     acs = fetch_acs_income(path=path)
    >>> acs.target, acs.sensitive_features.tolist()
    (array([0, 1]), [['Male', 'White'], ['Female', 'Asian']])
    """
    names = check_names(sensitive_features, _SENSITIVE, "sensitive_features")
    if races is not None:
        races = check_names(races, _LABELS["RAC1P"].values(), "races")
    check_scalar(threshold, "threshold", Real)

    local = read_local(path, threshold)
    if local is not None:
        table, filename = local
    else:
        table = read_openml(data_home, download_if_missing, cache, n_retries, delay)
        filename = f"https://www.openml.org/d/{OPENML_ID}"

    if races is not None:
        table = take_rows(table, rows_of_races(_sensitive_column(table, "RAC1P"), races))
    features = [name for name in FEATURES if include_sensitive or name not in names]
    codes = [name for name in features if name in _CATEGORICAL]
    income = table.get("PINCP")
    target = table[LOCAL_TARGET] if income is None else income > threshold
    return build_bunch(
        {name: table[name] for name in features},
        target=target.astype(np.int64),
        target_column="income_above_threshold",
        target_names=[f"<={threshold}", f">{threshold}"],
        sensitive={name: _sensitive_column(table, name) for name in names},
        loader=fetch_acs_income,
        filename=filename,
        as_frame=as_frame,
        return_X_y=return_X_y,
        codes=codes,
        extras={"categorical_features": codes, "income": income, "state": table.get("ST")},
    )


def _sensitive_column(table: Table, name: str) -> np.ndarray:
    """The column with codes spelled out; age stays a number."""
    labels = _LABELS.get(name)
    if labels is None:
        return table[name]
    codes, inverse = np.unique(table[name], return_inverse=True)
    unknown = [code for code in codes.tolist() if code not in labels]
    if unknown:
        raise ValueError(f"{name} has the unknown codes {unknown}; known are {list(labels)}.")
    return np.array([labels[code] for code in codes.tolist()], dtype=object)[inverse]
