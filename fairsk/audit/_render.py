"""What every report is: settings and tables of records, shown as text, HTML, a frame or JSON."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar

import numpy as np

from fairsk.utils import html_table, import_optional, text_table

Record = dict[str, Any]

# Inherits the page's colours, so that it reads in grey, in print and on a dark page.
_STYLE = (
    ".fairsk-report{overflow-x:auto}"
    ".fairsk-report table{border-collapse:collapse;margin:.8em 0;font-variant-numeric:tabular-nums}"
    ".fairsk-report caption{text-align:left;font-weight:bold;padding:.2em 0}"
    ".fairsk-report th,.fairsk-report td{text-align:left;padding:.15em .8em .15em 0;"
    "border-bottom:1px solid rgba(128,128,128,.35);white-space:nowrap}"
    ".fairsk-report thead th{border-bottom:2px solid currentColor}"
    ".fairsk-report ul{margin:.2em 0 1em;padding-left:1.2em}"
)


@dataclass(frozen=True)
class Section:
    """A table as people read it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Report(ABC):
    """A report: printing it shows its tables, and so does Jupyter.

    Attributes
    ----------
    settings : dict
        What was asked and what it was asked of; plain Python values.
    tables : dict of str to list of dict
        Records of plain Python values. A number that has no value is NaN, and the record says why.
    """

    settings: dict[str, Any]
    tables: dict[str, list[Record]] = field(repr=False)

    main_table: ClassVar[str]

    @abstractmethod
    def _sections(self) -> list[Section]:
        """The tables to show."""

    # ------------------------------------------------------------------ for people

    def __str__(self) -> str:
        blocks = []
        for section in self._sections():
            table = text_table(section.header, section.rows) if section.rows else []
            blocks.append("\n".join([section.title, *table, *section.notes]))
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        parts = [f"<style>{_STYLE}</style>"]
        for section in self._sections():
            if section.rows:
                parts.append(html_table(section.title, section.header, section.rows))
            else:
                parts.append(f"<p><b>{escape(section.title)}</b></p>")
            if section.notes:
                notes = "".join(f"<li>{escape(note)}</li>" for note in section.notes)
                parts.append(f"<ul>{notes}</ul>")
        return f'<div class="fairsk-report">{"".join(parts)}</div>'

    # ------------------------------------------------------------------ for programs

    def to_frame(self, table: str | None = None, *, backend: str = "pandas") -> Any:
        """A table as a data frame, with one row a record.

        Parameters
        ----------
        table : str, optional
            A name of `tables`; the main one by default.
        backend : {"pandas", "polars"}, default="pandas"

        Returns
        -------
        DataFrame

        Raises
        ------
        ImportError
            If the backend is not installed; `to_dict` needs none.
        ValueError
            If there is no such table or backend.
        """
        name = self.main_table if table is None else table
        if name not in self.tables:
            raise ValueError(f"table must be one of {list(self.tables)}, got {table!r}.")
        if backend not in ("pandas", "polars"):
            raise ValueError(f"backend must be 'pandas' or 'polars', got {backend!r}.")
        library = import_optional(
            backend,
            extra="quickstart" if backend == "pandas" else "test",
            purpose="A data frame",
        )
        records = self.tables[name]
        columns = list(records[0]) if records else []
        return library.DataFrame(
            {column: [record[column] for record in records] for column in columns}
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values: the kind of report, the settings, and the tables as records."""
        tables = {name: [dict(record) for record in rows] for name, rows in self.tables.items()}
        return {"report": type(self).__name__, "settings": dict(self.settings), "tables": tables}

    def to_json(self, *, indent: int | None = None) -> str:
        """JSON text; a number without a value is null.

        Parameters
        ----------
        indent : int, optional
            Spaces a level, for people.

        Returns
        -------
        str
            Read back by `from_json`.
        """
        return json.dumps(_to_plain(self.to_dict()), indent=indent, allow_nan=False)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Any:
        """The report again, from `to_dict`.

        Raises
        ------
        ValueError
            If the values are not those of such a report.
        """
        if values.get("report") != cls.__name__:
            raise ValueError(
                f"These are the values of {values.get('report', 'no report')!r}, not of "
                f"{cls.__name__!r}."
            )
        return cls(dict(values["settings"]), {k: list(v) for k, v in values["tables"].items()})

    @classmethod
    def from_json(cls, text: str) -> Any:
        """The report again, from `to_json`.

        Raises
        ------
        ValueError
            If the text is not that of such a report.
        """
        return cls.from_dict(_from_plain(json.loads(text)))


def _to_plain(value: Any) -> Any:
    """Values that JSON has: NaN becomes null, an infinite ratio its name."""
    if isinstance(value, Mapping):
        return {str(key): _to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else {"infinite": value > 0}
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"infinite"}:
            return math.inf if value["infinite"] else -math.inf
        return {key: _from_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_plain(item) for item in value]
    return math.nan if value is None else value


def with_interval(record: Record, name: str, *, digits: int = 3, signed: bool = False) -> str:
    """``"0.123 [0.100, 0.150]"`` from a record's ``name``, ``name_lower`` and ``name_upper``."""
    sign = "+" if signed else ""
    value, low, high = (float(record[key]) for key in (name, f"{name}_lower", f"{name}_upper"))
    if math.isnan(value):
        return "undefined"
    text = f"{value:{sign}.{digits}f}"
    if math.isnan(low):
        return text
    return f"{text} [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def spoken(name: str) -> str:
    """A name without underscores."""
    return name.replace("_", " ")
