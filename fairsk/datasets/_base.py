"""What the loaders share: reading a table, choosing names, building the Bunch.

A table is a dict of columns. A numeric column is an int64 or float64 array (NaN is missing); a
column of strings is an object array (None is missing). pandas is imported only for `as_frame=True`.
"""

from __future__ import annotations

import csv
import gzip
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

Table = dict[str, np.ndarray]


def read_bundled(filename: str) -> Table:
    """Read a gzipped csv of `fairsk/datasets/data` with the standard library."""
    source = resources.files("fairsk.datasets") / "data" / filename
    with source.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8", newline="") as text:
        reader = csv.reader(text)
        header = next(reader)
        # One flat list, sliced by column: half the time of zip(*reader) on 48,842 rows.
        cells = list(chain.from_iterable(reader))
    return {name: _parse(cells[start :: len(header)]) for start, name in enumerate(header)}


def _parse(cells: Sequence[str]) -> np.ndarray:
    """Integers if every cell is one, else floats, else strings; an empty cell is missing."""
    try:
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    except ValueError:
        pass
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return np.array([cell if cell else None for cell in cells], dtype=object)


def read_arrays(
    name: str, path: str | os.PathLike | None, entries: Iterable[str]
) -> tuple[Table, Path]:
    """Arrays of an .npz file that is not bundled, and the file they were read from.

    Parameters
    ----------
    name : str
        Of the file.
    path : str or path-like or None
        The file or a folder with it; None is the folder of the variable ``FAIRSK_DATA``.
    entries : iterable of str

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file lacks one of the entries.
    """
    file = _find(name, path)
    with np.load(file, allow_pickle=False) as arrays:
        missing = [entry for entry in entries if entry not in arrays]
        if missing:
            raise ValueError(f"{file} lacks the arrays {missing}.")
        return {entry: arrays[entry] for entry in entries}, file


def _find(name: str, path: str | os.PathLike | None) -> Path:
    if path is None:
        folder = os.environ.get("FAIRSK_DATA")
        if not folder:
            raise FileNotFoundError(
                f"{name} is not bundled. Give its path=, or the folder that has it in the "
                f"environment variable FAIRSK_DATA."
            )
        file = Path(folder) / name
    else:
        file = Path(path) / name if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no file {file}. Give the file {name} as path=, or its folder in the "
            f"environment variable FAIRSK_DATA."
        )
    return file


def take_rows(table: Table, keep: np.ndarray) -> Table:
    """The rows of every column where the boolean mask `keep` is true."""
    return {name: column[keep] for name, column in table.items()}


def is_missing(column: np.ndarray) -> np.ndarray:
    """Boolean mask of the missing entries of a column."""
    if column.dtype == object:
        return np.equal(column, np.array(None)).astype(bool)
    return np.isnan(column)


def levels_of(column: np.ndarray) -> list[str]:
    """The sorted distinct strings of a column, without the missing ones."""
    return sorted(set(column.tolist()) - {None})


def check_names(given: str | Iterable[str], known: Iterable[str], what: str) -> list[str]:
    """Return `given` as a list, or say which of the names are not among `known`.

    A single string is one name: iterating over its letters would be a baffling error.
    """
    names, known = [given] if isinstance(given, str) else list(given), list(known)
    if not names:
        raise ValueError(f"{what} is empty; name at least one of {known}.")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{what} has unknown names {unknown}; known names are {known}.")
    if len(set(names)) < len(names):
        raise ValueError(f"{what} names something twice: {names}.")
    return names


def rows_of_races(race: np.ndarray, races: str | Iterable[str] | None) -> np.ndarray:
    """Boolean mask of the rows whose race is one of `races`; None keeps every row."""
    if races is None:
        return np.ones(len(race), dtype=bool)
    known = levels_of(race)
    return np.isin(race.astype(str), check_names(races, known, "races"))


def notes_of(function: Callable) -> str:
    """Notes and references of a loader's docstring: the facts of a data set are written once."""
    doc = inspect.getdoc(function) or ""  # docstrings are gone under `python -OO`
    return doc.partition("\nNotes\n-----\n")[2].partition("\nExamples\n--------\n")[0].strip()


def import_pandas(caller: str) -> Any:
    """Import pandas, or say who needs it and what works without it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            f"{caller}(as_frame=True) needs pandas. Install it with `pip install pandas`, "
            "or use as_frame=False, which returns NumPy arrays."
        ) from error
    return pandas


def build_bunch(
    data: Table,
    *,
    target: np.ndarray,
    target_column: str,
    target_names: list[str],
    sensitive: Table,
    loader: Callable,
    filename: str | None,
    as_frame: bool,
    return_X_y: bool,
    levels: Mapping[str, list[str]] | None = None,
    codes: Sequence[str] = (),
    extras: Mapping[str, Any] | None = None,
) -> Bunch | tuple[Any, Any, Any]:
    """Turn columns into what a loader returns.

    Parameters
    ----------
    data, sensitive : dict of str to ndarray of shape (n_samples,)
        The columns of X and of the sensitive features.
    target : ndarray of shape (n_samples,)
    target_column : str
        Name of the target in the frame.
    levels : mapping of str to list of str, default=None
        Levels of string columns of `data`, where they should not be read from the rows at hand:
        the training and the test part must get the same one-hot columns.
    codes : sequence of str, default=()
        Integer columns of `data` whose numbers are labels: categorical in a frame, left as they
        are in a matrix.
    extras : mapping, default=None
        Further entries of the Bunch; arrays of one value a row become Series in a frame.
    """
    levels = {
        name: (levels or {}).get(name) or levels_of(column)
        for name, column in data.items()
        if column.dtype == object
    }
    extras = dict(extras or {})
    if as_frame:
        pd = import_pandas(loader.__name__)
        X = to_frame(pd, data, levels, codes)
        y = pd.Series(target, name=target_column)
        groups = to_frame(pd, sensitive, {}, ())
        feature_names = list(X.columns)
        others = groups[[name for name in groups.columns if name not in data]]
        frame = pd.concat([X, others, y], axis=1)
        for name, value in extras.items():
            if isinstance(value, np.ndarray):
                extras[name] = pd.Series(value, name=name)
    else:
        X, feature_names = _to_matrix(data, levels)
        y, groups, frame = target, stack_sensitive(sensitive), None
    if return_X_y:
        return X, y, groups
    return Bunch(
        data=X,
        target=y,
        sensitive_features=groups,
        frame=frame,
        feature_names=feature_names,
        target_names=target_names,
        sensitive_feature_names=list(sensitive),
        DESCR=notes_of(loader),
        filename=filename,
        **extras,
    )


def to_frame(pd: Any, table: Table, levels: Mapping[str, list[str]], codes: Sequence[str]) -> Any:
    """Columns as a DataFrame; strings and codes become categoricals."""
    columns = {}
    for name, column in table.items():
        if column.dtype == object or name in codes:
            columns[name] = pd.Categorical(column, categories=levels.get(name))
        else:
            columns[name] = column
    return pd.DataFrame(columns)


def _to_matrix(table: Table, levels: Mapping[str, list[str]]) -> tuple[np.ndarray, list[str]]:
    """Columns as a float64 matrix, each string column replaced by one indicator a level.

    Ordinal codes would invent an order among the levels. A missing string is a row of zeros.
    """
    names: list[str] = []
    for name in table:
        names += [f"{name}_{level}" for level in levels[name]] if name in levels else [name]
    matrix = np.zeros((len(next(iter(table.values()))), len(names)))
    start = 0
    for name, column in table.items():
        if name not in levels:
            matrix[:, start] = column
            start += 1
            continue
        position = {level: start + i for i, level in enumerate(levels[name])}
        rows = np.flatnonzero(~is_missing(column))
        matrix[rows, [position[level] for level in column[rows]]] = 1.0
        start += len(levels[name])
    return matrix, names


def stack_sensitive(table: Table) -> np.ndarray:
    """Columns side by side: float64 if all are numeric, else objects (strings stay strings)."""
    numeric = all(column.dtype != object for column in table.values())
    return np.column_stack(
        [column.astype(np.float64 if numeric else object) for column in table.values()]
    )
