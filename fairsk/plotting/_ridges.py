"""Histograms in rows, one above the other, part of each marked."""

from __future__ import annotations

from typing import Any

import numpy as np

# Height of the tallest bar of a row of height 1: the rest is for a label above it.
TALLEST = 0.7
MARK, PLAIN = "///", "0.93"


def draw_ridge(
    ax: Any,
    row: float,
    values: np.ndarray,
    marked: np.ndarray,
    edges: np.ndarray,
    color: str,
) -> None:
    """Draw a histogram that stands on ``row`` and grows upwards; the marked rows are hatched.

    Rows are counted from the top down, so "up" is towards smaller numbers. Bars of both parts are
    stacked, on the scale of the row's own tallest bar.
    """
    below = np.histogram(values[marked], edges)[0]
    total = np.histogram(values, edges)[0]
    scale = TALLEST / total.max() if total.any() else 0.0
    ax.stairs(
        row - scale * total,
        edges,
        baseline=row - scale * below,
        fill=True,
        facecolor=PLAIN,
        edgecolor=color,
        linewidth=0.8,
    )
    ax.stairs(
        row - scale * below,
        edges,
        baseline=row,
        fill=True,
        facecolor=_lighter(color),
        edgecolor=color,
        hatch=MARK,
        linewidth=0.8,
    )
    ax.axhline(row, color="0.6", linewidth=0.8, zorder=1)


def ridge_handles(marked: str, rest: str) -> dict[str, Any]:
    """Patches for a legend that stand for both parts, in whatever colour a row has."""
    from matplotlib.patches import Patch

    return {
        marked: Patch(facecolor="0.8", edgecolor="0.3", hatch=MARK),
        rest: Patch(facecolor=PLAIN, edgecolor="0.3"),
    }


def _lighter(color: str) -> tuple[float, ...]:
    """A colour mixed with white, against which its own hatch shows."""
    from matplotlib.colors import to_rgb

    return tuple(0.45 * channel + 0.55 for channel in to_rgb(color))


def label_rows(ax: Any, labels: list[str]) -> None:
    """Rows from the top down with their names at the left; the first has room above it."""
    ax.set_yticks(np.arange(len(labels)) - TALLEST / 2, labels)
    ax.set_ylim(len(labels) - 0.9, -0.95)
    ax.tick_params(axis="y", length=0)
