"""What all displays share: colours and shapes that survive grey, axes, legends beside the data.

Nothing global of matplotlib is read or changed: every setting is that of an artist.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fairsk.utils import import_optional

# Okabe and Ito's palette without yellow, which vanishes on white. Neighbours in this order differ
# in lightness as well, and every series differs in marker, line and hatch too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 3)))
HATCHES = ("///", "\\\\", "..", "xx", "--", "||", "oo")
# Lines that are no data: parity, a tolerance, a plain threshold.
REFERENCE = "0.35"


@dataclass(frozen=True)
class SeriesStyle:
    """Colour, marker, line and hatch of one series."""

    color: str
    marker: str
    linestyle: Any
    hatch: str


def style_of(i: int) -> SeriesStyle:
    """Style of the i-th series; the first 70 differ in colour or marker.

    Examples
    --------
    >>> style_of(1).marker, style_of(1).color
    ('s', '#D55E00')
    """
    return SeriesStyle(
        COLORS[i % len(COLORS)],
        MARKERS[i % len(MARKERS)],
        LINES[i % len(LINES)],
        HATCHES[i % len(HATCHES)],
    )


def axes_or_new(ax: Any, purpose: str, *, width: float = 6.4, height: float = 4.0) -> Any:
    """The axes given, or new ones in a figure whose layout leaves room for the legend.

    Raises ImportError, with the extra to install, where matplotlib is missing.
    """
    pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose=purpose)
    if ax is not None:
        return ax
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def legend_below(ax: Any, handles: Sequence[Any], labels: Sequence[str]) -> Any:
    """A legend under the x label, in as many columns as fit; it never covers data.

    Call it last: what else is on the axes decides how wide they are. Returns None where there is
    nothing to name.
    """
    if not labels:
        return None
    from matplotlib.transforms import ScaledTranslation

    if ax.figure.get_layout_engine() is not None:
        ax.figure.draw_without_rendering()
    axis, size = ax.xaxis, ax.xaxis.label.get_size()
    ticks = axis.get_ticklabels()
    tick_size = ticks[0].get_size() if ticks else size
    # Ticks, their labels and the axis label, each with its padding, in points.
    lines = len(axis.get_label_text().splitlines())
    depth = 7 + 1.3 * tick_size + (axis.labelpad if lines else 0) + 1.35 * size * lines + 4
    shift = ScaledTranslation(0, -depth / 72, ax.figure.dpi_scale_trans)
    width = ax.get_window_extent().width
    for n_lines in range(1, len(labels) + 1):
        legend = ax.legend(
            handles,
            labels,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            bbox_transform=ax.transAxes + shift,
            borderaxespad=0.0,
            # As few columns as the lines need, so that the last line is not a lone entry.
            ncols=-(-len(labels) // n_lines),
            fontsize=9,
            frameon=False,
        )
        if legend.get_window_extent().width <= width:
            break
    return legend


def wrapped(label: str, width: int = 24) -> str:
    """A label in lines short enough for a tick."""
    return "\n".join(textwrap.wrap(label, width)) or label


def spelled(name: str) -> str:
    """A name of the code as words.

    Examples
    --------
    >>> spelled("true_positive_rate")
    'true positive rate'
    """
    return name.replace("_", " ")
