"""What every display is: data first, then a picture of it on any axes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from fairsk.metrics import serving_estimator
from fairsk.utils import import_optional


class Display(ABC):
    """Data to be drawn: made without matplotlib, drawn by `plot`, returned by `to_frame`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Of the last call of `plot`.
    """

    ax_: Any
    figure_: Any

    @abstractmethod
    def plot(self, *, ax: Any = None) -> Any:
        """Draw on the axes given, or on new ones, and return the display."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The data as columns of equal length."""

    def to_frame(self) -> Any:
        """The data as a pandas DataFrame, one row a mark.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        purpose = f"{type(self).__name__}.to_frame"
        pandas = import_optional("pandas", extra="quickstart", purpose=purpose)
        return pandas.DataFrame(self.to_dict())

    def _keep(self, ax: Any) -> None:
        self.ax_, self.figure_ = ax, ax.figure


def last_step(estimator: Any) -> Any:
    """The estimator itself, or what a search or a pipeline ends in."""
    model = serving_estimator(estimator)
    return serving_estimator(model[-1]) if isinstance(model, Pipeline) else model


def as_models(values: Any, name: str | None, default: str) -> dict[str, Any]:
    """One model's values, or those of several by name, as a dict."""
    if isinstance(values, dict):
        if not values:
            raise ValueError("There is no model to draw: the dict is empty.")
        if name is not None:
            raise ValueError(f"The models are named by the dict; leave name={name!r} out.")
        return {str(key): value for key, value in values.items()}
    return {default if name is None else name: values}


def columns_of(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Records as columns: numbers as arrays, everything else as lists."""
    columns: dict[str, Any] = {}
    for key in records[0] if records else ():
        values = [record[key] for record in records]
        is_number = all(isinstance(value, int | float | np.number) for value in values)
        columns[key] = np.asarray(values) if is_number else values
    return columns
