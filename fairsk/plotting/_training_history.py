"""What happened while a model was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from fairsk.metrics import serving_estimator
from fairsk.plotting._display import Display
from fairsk.plotting._style import REFERENCE, axes_or_new, legend_below, spelled, style_of
from fairsk.utils import import_optional

# What a discriminator's cross-entropy is when it sees nothing.
BLIND_LOSS = float(np.log(2))
# Of rounds, which record their inner workings too: what is drawn unless asked otherwise.
OUTCOMES = ("violation", "accuracy", "gap")


class TrainingHistoryDisplay(Display):
    """Losses, penalties and gaps by epoch or round, one panel for each kind of quantity.

    Make it by `from_estimator`: of a network of fairsk, a `FairCostSensitiveClassifier` or an
    `InfluenceReweighter`; or by `from_history`.

    Parameters
    ----------
    series : dict of str to ndarray of shape (n_records,)
    step_name : {"epoch", "round"}, default="epoch"
        Epochs count from one; rounds from zero, which is the start.
    best : int, optional
        The record that was kept, counted from zero.

    Attributes
    ----------
    series : dict of str to ndarray
    axes_ : ndarray of matplotlib Axes
        One a panel.
    ax_, figure_ : matplotlib Axes and Figure
        The first panel.
    lines_ : dict of str to Line2D

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from fairsk.plotting import TrainingHistoryDisplay
    >>> history = [{"loss": 0.7, "penalty": 0.2}, {"loss": 0.6, "penalty": 0.1}]
    >>> display = TrainingHistoryDisplay.from_history(history, ax=Figure().subplots(2))
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['loss', 'penalty']
    """

    def __init__(
        self,
        series: Mapping[str, np.ndarray],
        *,
        step_name: str = "epoch",
        best: int | None = None,
    ) -> None:
        self.series = {name: np.asarray(values, dtype=float) for name, values in series.items()}
        self.step_name = step_name
        self.best = best

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        quantities: Sequence[str] | None = None,
        ax: Any = None,
    ) -> TrainingHistoryDisplay:
        """Draw the ``history_`` of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Or a pipeline or search that ends in one.
        quantities : sequence of str, optional
            Which to draw. By default everything that an epoch reports and changes, and of rounds
            the violation, the accuracy or the gaps.
        ax : matplotlib Axes or sequence of them, optional
            One a panel; a single one takes all quantities.

        Returns
        -------
        TrainingHistoryDisplay
        """
        model = serving_estimator(estimator)
        if isinstance(model, Pipeline):
            model = model[-1]
        history = getattr(model, "history_", None)
        if not history:
            raise ValueError(
                f"{type(model).__name__} has no history_ to draw: fit it with sensitive features."
            )
        best = getattr(model, "best_epoch_", -1)
        return cls.from_history(
            history,
            quantities=quantities,
            best=None if best < 0 else int(best),
            names=getattr(model, "gap_names_", None),
            ax=ax,
        )

    @classmethod
    def from_history(
        cls,
        history: Sequence[Any],
        *,
        quantities: Sequence[str] | None = None,
        best: int | None = None,
        names: Sequence[str] | None = None,
        ax: Any = None,
    ) -> TrainingHistoryDisplay:
        """Draw records of training.

        Parameters
        ----------
        history : sequence of dict or of dataclass
            One an epoch or a round. Numbers are drawn, and each entry of an array.
        quantities : sequence of str, optional
        best : int, optional
            The record that was kept, counted from zero.
        names : sequence of str, optional
            Of the entries of arrays.
        ax : matplotlib Axes or sequence of them, optional

        Returns
        -------
        TrainingHistoryDisplay
        """
        records = [_as_numbers(record, names) for record in history]
        known = list(dict.fromkeys(key for record in records for key in record))
        is_network = isinstance(history[0], Mapping)
        chosen = _choose(known, quantities, is_network)
        series = {key: np.array([r.get(key, np.nan) for r in records]) for key in chosen}
        if quantities is None and len(records) > 1:
            changing = {k: v for k, v in series.items() if np.nanmin(v) < np.nanmax(v)}
            series = changing or series
        display = cls(series, step_name="epoch" if is_network else "round", best=best)
        return display.plot(ax=ax)

    @property
    def panels(self) -> dict[str, list[str]]:
        """Names of the series of each panel: a quantity together with its validation."""
        panels: dict[str, list[str]] = {}
        for name in self.series:
            panels.setdefault(_panel_of(name), []).append(name)
        return panels

    def plot(self, *, ax: Any = None) -> TrainingHistoryDisplay:
        """Draw the history.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, optional

        Returns
        -------
        self
        """
        panels = self.panels
        axes = self._axes(ax, len(panels))
        if len(axes) == 1 and len(panels) > 1:
            panels = {"value": list(self.series)}
        first = 1 if self.step_name == "epoch" else 0
        self.lines_ = {}
        for place, (title, names) in zip(axes, panels.items(), strict=True):
            for k, name in enumerate(names):
                style, values = style_of(k), self.series[name]
                steps = np.arange(first, first + len(values))
                (self.lines_[name],) = place.plot(
                    steps,
                    values,
                    color=style.color,
                    linestyle=style.linestyle,
                    marker=style.marker,
                    markersize=4.5,
                    # A marker an epoch would hide the line.
                    markevery=max(1, len(values) // 12),
                    label=spelled(name),
                )
            handles = {spelled(name): self.lines_[name] for name in names}
            handles |= self._draw_references(place, names, first)
            place.set_ylabel(spelled(title))
            place.grid(alpha=0.3)
            place.xaxis.get_major_locator().set_params(integer=True)
            if place is axes[-1]:
                place.set_xlabel(self.step_name)
            if len(handles) > 1:
                legend_below(place, list(handles.values()), list(handles))
        self.axes_ = axes
        self._keep(axes[0])
        return self

    def _draw_references(self, ax: Any, names: list[str], first: int) -> dict[str, Any]:
        handles = {}
        if "discriminator_loss" in names:
            handles["log 2: it sees nothing"] = ax.axhline(
                BLIND_LOSS, color=REFERENCE, linestyle=":", linewidth=1.2
            )
        if self.best is not None:
            handles[f"kept {self.step_name}"] = ax.axvline(
                self.best + first, color=REFERENCE, linestyle="--", linewidth=1.2
            )
        return handles

    def _axes(self, ax: Any, n_panels: int) -> np.ndarray:
        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose=type(self).__name__)
            size = (6.4, 0.8 + 2.2 * n_panels)
            figure = pyplot.figure(figsize=size, layout="constrained")
            return figure.subplots(n_panels, sharex=True, squeeze=False)[:, 0]
        if not np.iterable(ax):
            return np.array([axes_or_new(ax, type(self).__name__)])
        axes = np.asarray(ax, dtype=object).ravel()
        if len(axes) not in (1, n_panels):
            raise ValueError(
                f"There are {n_panels} panels ({list(self.panels)}), but {len(axes)} axes: give as "
                f"many, or a single one for all quantities."
            )
        return axes

    def to_dict(self) -> dict[str, Any]:
        """The step and one column a series."""
        first = 1 if self.step_name == "epoch" else 0
        n_records = len(next(iter(self.series.values())))
        return {self.step_name: np.arange(first, first + n_records), **self.series}


def _choose(known: list[str], quantities: Sequence[str] | None, is_network: bool) -> list[str]:
    """Names of the series to draw; an array's name stands for its entries."""
    if quantities is None:
        outcomes = [name for name in known if _panel_of(name) in OUTCOMES]
        return known if is_network or not outcomes else outcomes
    chosen = []
    for asked in quantities:
        found = [name for name in known if name == asked or name.startswith(f"{asked}[")]
        if not found:
            raise ValueError(f"The history has no {asked!r}; it has {known}.")
        chosen += found
    if not chosen:
        raise ValueError(f"quantities is empty; the history has {known}.")
    return chosen


def _panel_of(name: str) -> str:
    """The quantity that a series belongs to."""
    kind = name.removeprefix("validation_").partition("[")[0]
    if kind.startswith("gap_") or kind.endswith("_gap"):
        return "gap"
    return kind


def _as_numbers(record: Any, names: Sequence[str] | None) -> dict[str, float]:
    """The numbers of a record; the entries of an array under names of their own."""
    if is_dataclass(record):
        record = {field.name: getattr(record, field.name) for field in fields(record)}
    numbers = {}
    for key, value in record.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            continue
        if array.ndim == 0:
            numbers[key] = float(array)
            continue
        entries = array.ravel()
        known = names if names is not None and len(names) == len(entries) else range(len(entries))
        numbers |= {f"{key}[{n}]": float(v) for n, v in zip(known, entries, strict=True)}
    return numbers
