"""Tables of rates and disparities with their uncertainty, for people and for programs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from fairsk.metrics._contrasts import worst_with_interval
from fairsk.utils import html_table, import_optional, text_table

_COLUMNS = ("estimate", "standard_error", "lower", "upper", "count")


@dataclass(frozen=True)
class _IntervalTable(ABC):
    """Estimates with intervals by rate and group."""

    rate_names: tuple[str, ...]
    group_labels: tuple[str, ...]
    estimates: np.ndarray
    standard_errors: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    counts: np.ndarray
    confidence: float
    simultaneous: bool
    n_rows: int
    n_unknown: int

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values: ``["rates"][rate][group]["estimate"]`` and so on."""
        rates: dict[str, dict] = {rate: {} for rate in self.rate_names}
        for record in self._records():
            rates[record.pop("rate")][record.pop("group")] = record
        return {
            "confidence": self.confidence,
            "simultaneous": self.simultaneous,
            "n_rows": self.n_rows,
            "n_unknown": self.n_unknown,
            "rates": rates,
        }

    def to_frame(self) -> Any:
        """A pandas DataFrame with one row a rate and group.

        Columns are rate, group, estimate, standard_error, lower, upper and count, the number of
        rows that the rate is conditional on.
        """
        pandas = import_optional("pandas", extra="quickstart", purpose="A data frame")
        return pandas.DataFrame(self._records(), columns=["rate", "group", *_COLUMNS])

    def _records(self) -> list[dict[str, Any]]:
        arrays = (self.estimates, self.standard_errors, self.lower, self.upper, self.counts)
        return [
            {"rate": rate, "group": group}
            | {name: array[r, a].item() for name, array in zip(_COLUMNS, arrays, strict=True)}
            for r, rate in enumerate(self.rate_names)
            for a, group in enumerate(self.group_labels)
        ]

    @abstractmethod
    def _title(self) -> str:
        """Line above the table."""

    def _notes(self) -> list[str]:
        """Lines below the table."""
        notes = []
        if self.simultaneous:
            notes.append(f"All intervals hold together with {self.confidence:.3g} confidence.")
        else:
            notes.append(f"Each interval on its own has {self.confidence:.3g} confidence.")
        if self.n_unknown:
            notes.append(f"{self.n_unknown:,} rows of unknown group are left out.")
        return notes

    def _cells(self) -> list[list[str]]:
        """Header and rows as text: a row a group, a column a rate."""
        rows = [["group", *(name.replace("_", " ") for name in self.rate_names)]]
        for a, group in enumerate(self.group_labels):
            rows.append([group, *(self._cell(r, a) for r in range(len(self.rate_names)))])
        return rows

    def _cell(self, r: int, a: int) -> str:
        if np.isnan(self.estimates[r, a]):
            return "undefined" if self.counts[r, a] else "no rows"
        arrays = (self.estimates, self.lower, self.upper)
        estimate, lower, upper = (self._figure(array[r, a]) for array in arrays)
        return f"{estimate} [{lower}, {upper}] of {self.counts[r, a]:,}"

    def _figure(self, value: float) -> str:
        return f"{value:.3f}"

    def __str__(self) -> str:
        header, *body = self._cells()
        return "\n".join([self._title(), *text_table(header, body), *self._notes()])

    def _repr_html_(self) -> str:
        header, *body = self._cells()
        notes = escape(" ".join(self._notes()))
        return f"{html_table(self._title(), header, body)}<p>{notes}</p>"


@dataclass(frozen=True)
class GroupRatesReport(_IntervalTable):
    """Rates of each group with confidence intervals; printing it shows a table.

    Attributes
    ----------
    rate_names, group_labels : tuple of str
    estimates, standard_errors, lower, upper : ndarray of shape (n_rates, n_groups)
        NaN where a group has no rows to compute the rate from.
    counts : ndarray of int of shape (n_rates, n_groups)
        Rows that the rate is conditional on.
    confidence : float
    simultaneous : bool
        Whether all intervals hold together, or each on its own.
    n_rows, n_unknown : int
        Rows of positive weight, and those among them whose group is unknown.
    """

    def _title(self) -> str:
        return f"Rates of {len(self.group_labels)} groups, {self.n_rows:,} rows"


@dataclass(frozen=True)
class DisparityReport(_IntervalTable):
    """Disparities of each group with confidence intervals; printing it shows a table.

    Attributes
    ----------
    rate_names, group_labels, counts, confidence, simultaneous, n_rows, n_unknown
        As in `GroupRatesReport`.
    estimates, lower, upper : ndarray of shape (n_rates, n_groups)
        Signed differences, or ratios, from the population or from the lowest (for ratios the
        highest) rate of a group.
    standard_errors : ndarray of shape (n_rates, n_groups)
        Of the difference, or of the ratio's logarithm. Against the lowest or highest group: of
        the difference from the group which is that in the sample (for itself, from the next).
    notion, measure, contrast : str
    worst : float
        The violation: largest absolute difference, or smallest ratio either way up.
    worst_lower, worst_upper : float
        Its interval, which accounts for its being the worst of several.
    """

    notion: str
    measure: str
    contrast: str
    worst: float
    worst_lower: float
    worst_upper: float

    def to_dict(self) -> dict[str, Any]:
        """As in `GroupRatesReport`, and the worst disparity with its interval."""
        names = ("notion", "measure", "contrast", "worst", "worst_lower", "worst_upper")
        return {name: getattr(self, name) for name in names} | super().to_dict()

    def _figure(self, value: float) -> str:
        return f"{value:+.3f}" if self.measure == "difference" else f"{value:.3f}"

    @property
    def reference(self) -> str:
        """What each group is compared with, in words."""
        return {
            ("difference", "population"): "minus the population's",
            ("difference", "groups"): "minus the lowest group's",
            ("ratio", "population"): "over the population's",
            ("ratio", "groups"): "over the highest group's",
        }[self.measure, self.contrast]

    def worst_of(self, rates: Sequence[str]) -> tuple[float, float, float]:
        """Worst disparity in some of the rates, and its interval (estimate, lower, upper).

        Undefined disparities are left out; NaN where all are. The interval accounts for its being
        the worst of several, as that of `worst` does.

        Parameters
        ----------
        rates : sequence of str
            Among ``rate_names``.
        """
        places = [self.rate_names.index(rate) for rate in rates]
        values = np.stack([self.estimates[places], self.lower[places], self.upper[places]])
        values = values[:, ~np.isnan(values[0])]
        if not values.size:
            return (np.nan,) * 3
        if self.measure == "ratio":
            with np.errstate(divide="ignore"):
                values = np.log(values)
        return worst_with_interval(*values, measure=self.measure)

    def _title(self) -> str:
        return f"{self.notion}: rates of {len(self.group_labels)} groups {self.reference}"

    def _notes(self) -> list[str]:
        interval = f"[{self.worst_lower:.3f}, {self.worst_upper:.3f}]"
        return [f"Worst {self.measure}: {self.worst:.3f} {interval}.", *super()._notes()]
