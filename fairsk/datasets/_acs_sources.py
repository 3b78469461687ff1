"""Where the columns of ACSIncome come from: a local csv file, the cache, or OpenML."""

from __future__ import annotations

import csv
import gzip
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import fetch_openml, get_data_home

from ._base import Table

OPENML_ID = 43141
LOCAL_NAME = "acs_income.csv.gz"
LOCAL_TARGET = "income_gt_50k"
FEATURES = ("AGEP", "COW", "SCHL", "MAR", "OCCP", "POBP", "RELP", "WKHP", "SEX", "RAC1P")
_CACHE_NAME = "fairsk_acs_income_2018.npz"


def read_local(path: str | os.PathLike | None, threshold: float) -> tuple[Table, str] | None:
    """The columns of a local file and its name; None if there is no suitable one.

    A file named by `path` must be there and suit, one in FAIRSK_DATA need not.
    """
    if path is not None:
        file = Path(path) / LOCAL_NAME if Path(path).is_dir() else Path(path)
        if not file.is_file():
            raise FileNotFoundError(f"There is no file {file}, which path={str(path)!r} names.")
    else:
        folder = os.environ.get("FAIRSK_DATA")
        if not folder or not (file := Path(folder) / LOCAL_NAME).is_file():
            return None

    with _open(file) as text:
        header = next(csv.reader(text), [])
        missing = [name for name in FEATURES if name not in header]
        if missing or not {"PINCP", LOCAL_TARGET} & set(header):
            raise ValueError(
                f"{file} is no ACSIncome file: it needs the columns {list(FEATURES)} and PINCP or "
                f"{LOCAL_TARGET}, and lacks {missing or 'the target'}."
            )
        if "PINCP" not in header and threshold != 50_000:
            if path is None:
                return None
            raise ValueError(
                f"{file} has no incomes (PINCP), only {LOCAL_TARGET}: threshold must be 50000 "
                f"with this file; got {threshold}."
            )
        cells = np.loadtxt(text, delimiter=",", ndmin=2)
    columns = cells.reshape(-1, len(header)).T  # the reshape is for a file without any row
    return {name: _as_integers(c) for name, c in zip(header, columns, strict=True)}, str(file)


def read_openml(
    data_home: str | os.PathLike | None,
    download_if_missing: bool,
    cache: bool,
    n_retries: int,
    delay: float,
) -> Table:
    """The columns from the cache, or from OpenML; `PINCP` is the income, `ST` the state."""
    parsed = Path(get_data_home(data_home)) / _CACHE_NAME if cache else None
    if parsed is not None and parsed.is_file():
        with np.load(parsed) as arrays:
            return dict(arrays)
    if not download_if_missing:
        raise OSError(
            f"ACSIncome is not at hand ({parsed or 'cache=False'}) and download_if_missing is "
            f"False. Give its file as path=, or the folder with {LOCAL_NAME} in the environment "
            "variable FAIRSK_DATA, or allow the download."
        )
    # liac-arff needs no pandas but is many times slower on a file of this size. Every column is a
    # number, so pandas is told so: its parser would turn columns that OpenML calls nominal into
    # categoricals, whose values come back as labels and not, as liac-arff's do, as positions.
    bunch = fetch_openml(
        data_id=OPENML_ID,
        target_column="PINCP",
        data_home=data_home,
        cache=cache,
        as_frame=False,
        parser="pandas" if _has_pandas() else "liac-arff",
        read_csv_kwargs={"dtype": np.float64},
        n_retries=n_retries,
        delay=delay,
    )
    table = dict(zip(bunch.feature_names, bunch.data.T, strict=True))
    for name, labels in (bunch.categories or {}).items():
        if name in table:
            # From liac-arff a nominal column is positions in the list of its labels; undo that.
            table[name] = np.asarray(labels, dtype=np.float64)[table[name].astype(np.intp)]
    table["PINCP"] = bunch.target.astype(np.float64)
    missing = [name for name in FEATURES if name not in table]
    if missing:
        raise ValueError(f"OpenML's data set {OPENML_ID} lacks the columns {missing}.")
    table = {name: _as_integers(column) for name, column in table.items()}
    if parsed is not None:
        _save(parsed, table)
    return table


def _has_pandas() -> bool:
    try:
        import pandas  # noqa: F401
    except ImportError:
        return False
    return True


def _open(file: Path):
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8", newline="")
    return open(file, encoding="utf-8", newline="")


def _as_integers(column: np.ndarray) -> np.ndarray:
    """A copy as int64 where nothing is lost, else the float64 column."""
    whole = np.isfinite(column).all() and (column == np.rint(column)).all()
    return column.astype(np.int64) if whole else np.ascontiguousarray(column)


def _save(file: Path, table: dict[str, Any]) -> None:
    """Write next to `file` and rename: a reader never sees half a file."""
    handle, name = tempfile.mkstemp(dir=file.parent, suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez_compressed(stream, **table)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
