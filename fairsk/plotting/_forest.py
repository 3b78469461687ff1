"""Estimates with intervals in rows, series side by side: rates and disparities are drawn so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fairsk.plotting._style import style_of, wrapped

# Distance of two series in a row, at most; of the row's height of 1, this much is used.
SERIES_STEP, ROW_SHARE = 0.2, 0.76


def forest_height(n_rows: int, n_series: int) -> float:
    """Inches of a figure in which neither marks nor labels touch."""
    return 1.6 + n_rows * max(0.42, 0.17 * n_series + 0.12)


def draw_forest(
    ax: Any,
    rows: Sequence[str],
    series: Sequence[str],
    estimate: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    missing: str = "no rows",
) -> list[Any]:
    """Draw estimates of shape (n_series, n_rows) from the top down; returns the error bars.

    Undefined ones (NaN) are named in words where their mark would be, so that nobody takes an
    absent mark for a zero.
    """
    n_series, n_rows = estimate.shape
    step = min(SERIES_STEP, ROW_SHARE / n_series)
    places = np.arange(n_rows)
    bars = []
    for k, name in enumerate(series):
        y = places + (k - (n_series - 1) / 2) * step
        style, seen = style_of(k), np.isfinite(estimate[k])
        spread = [(estimate - lower)[k, seen], (upper - estimate)[k, seen]]
        bars.append(
            ax.errorbar(
                estimate[k, seen],
                y[seen],
                # An interval about a smoothed estimate may miss the estimate by rounding.
                xerr=np.maximum(spread, 0),
                fmt=style.marker,
                color=style.color,
                markersize=6,
                capsize=2.5,
                elinewidth=1.4,
                label=name,
            )
        )
        for at in y[~seen]:
            ax.annotate(
                missing,
                (0.99, at),
                xycoords=ax.get_yaxis_transform(),
                ha="right",
                va="center",
                fontsize="x-small",
                color=style.color,
            )
    for at in places[1::2]:
        ax.axhspan(at - 0.5, at + 0.5, color="0.95", zorder=-1, linewidth=0)
    ax.set_yticks(places, [wrapped(row) for row in rows])
    ax.set_ylim(n_rows - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    return bars
