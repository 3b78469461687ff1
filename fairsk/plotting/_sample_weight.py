"""How sample weights are spread over the cells of label and group."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from fairsk.metrics import serving_estimator
from fairsk.plotting._display import Display, columns_of
from fairsk.plotting._style import REFERENCE, axes_or_new, legend_below, style_of, wrapped
from fairsk.utils import GroupEncoder, check_same_rows, check_sensitive_features

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


class SampleWeightDisplay(Display):
    """The spread of sample weights in each cell of label and group.

    Make it by `from_estimator` (a fitted `InfluenceReweighter`, or any estimator with
    ``sample_weight_``) or `from_weights`. A bar reaches from the first to the third quartile, a
    line from the 1st to the 99th percentile; each cell's share of the rows and of the weight
    stands beside its name.

    Parameters
    ----------
    cells : list of tuple (label, group)
    quantiles : ndarray of shape (n_cells, 5)
        At 1, 25, 50, 75 and 99 %.
    mean : ndarray of shape (n_cells,)
    counts : ndarray of int of shape (n_cells,)
    n_unknown : int, default=0
        Rows of unknown group, which are in no cell.

    Attributes
    ----------
    cells, quantiles, mean, counts, n_unknown
        As given.
    row_share, weight_share : ndarray of shape (n_cells,)
        Among the rows of known group.
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from fairsk.plotting import SampleWeightDisplay
    >>> display = SampleWeightDisplay.from_weights(
    ...     [1.0, 2.0, 1.0, 0.5], [0, 1, 0, 1], sensitive_features=["a", "a", "b", "b"],
    ...     ax=Figure().subplots(),
    ... )
    >>> dict(zip(display.cells, display.mean.tolist()))
    {(0, 'a'): 1.0, (1, 'a'): 2.0, (0, 'b'): 1.0, (1, 'b'): 0.5}
    """

    def __init__(
        self,
        cells: list[tuple[Any, str]],
        quantiles: np.ndarray,
        mean: np.ndarray,
        counts: np.ndarray,
        *,
        n_unknown: int = 0,
    ) -> None:
        self.cells = cells
        self.quantiles = quantiles
        self.mean = mean
        self.counts = counts
        self.n_unknown = n_unknown
        self.row_share = counts / counts.sum()
        total = (mean * counts).sum()
        self.weight_share = mean * counts / (total if total > 0 else 1)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, sensitive_features: Any, ax: Any = None
    ) -> SampleWeightDisplay:
        """Draw the weights that a fitted estimator gave its training rows.

        Parameters
        ----------
        estimator : estimator
            With ``sample_weight_``, or a pipeline or search that ends in one.
        X : array-like of shape (n_samples, n_features)
            The rows that it was trained on, in their order; only their number is looked at.
        y : array-like of shape (n_samples,)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
            May be known for few of them.
        ax : matplotlib Axes, optional

        Returns
        -------
        SampleWeightDisplay
        """
        model = serving_estimator(estimator)
        if isinstance(model, Pipeline):
            model = model[-1]
        if not hasattr(model, "sample_weight_"):
            raise TypeError(
                f"{type(model).__name__} has no sample_weight_: fit an InfluenceReweighter, or "
                f"give weights to SampleWeightDisplay.from_weights."
            )
        weight = model.sample_weight_
        check_same_rows(X=X, y=np.asarray(y))
        if len(np.asarray(y)) != len(weight):
            raise ValueError(
                f"The estimator was trained on {len(weight)} rows, but y has {len(np.asarray(y))}: "
                f"give the training rows."
            )
        return cls.from_weights(weight, y, sensitive_features=sensitive_features, ax=ax)

    @classmethod
    def from_weights(
        cls, sample_weight: Any, y: Any, *, sensitive_features: Any, ax: Any = None
    ) -> SampleWeightDisplay:
        """Draw weights by cell.

        Parameters
        ----------
        sample_weight : array-like of shape (n_samples,)
        y : array-like of shape (n_samples,)
            Labels, of any number of classes.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive)
        ax : matplotlib Axes, optional

        Returns
        -------
        SampleWeightDisplay
        """
        weight, y = np.asarray(sample_weight, dtype=float), np.asarray(y)
        if weight.ndim != 1 or y.shape != weight.shape:
            raise ValueError(
                f"sample_weight and y must be 1-D of one length, got shapes {weight.shape} and "
                f"{y.shape}."
            )
        features = check_sensitive_features(sensitive_features, n_samples=len(y))
        groups = GroupEncoder("intersectional").fit_transform(features)
        code = groups.codes[:, 0]
        cells, quantiles, means, counts = [], [], [], []
        for a, group in enumerate(groups.labels):
            for label in np.unique(y):
                mine = weight[(code == a) & (y == label)]
                if len(mine):
                    cells.append((label.item(), group))
                    quantiles.append(np.quantile(mine, QUANTILES))
                    means.append(mine.mean())
                    counts.append(len(mine))
        if not cells:
            raise ValueError("No row has a known group.")
        unknown = int((code < 0).sum())
        display = cls(
            cells, np.array(quantiles), np.array(means), np.array(counts), n_unknown=unknown
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> SampleWeightDisplay:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        self
        """
        ax = axes_or_new(ax, type(self).__name__, width=7, height=1.6 + 0.45 * len(self.cells))
        labels = sorted({label for label, _ in self.cells}, key=str)
        handles: dict[str, Any] = {}
        ticks = []
        for row, (label, group) in enumerate(self.cells):
            style = style_of(labels.index(label))
            low, first, median, third, high = self.quantiles[row]
            ax.hlines(row, low, high, color=style.color, linewidth=1.2)
            bar = ax.barh(
                row,
                third - first,
                left=first,
                height=0.5,
                facecolor="white",
                edgecolor=style.color,
                hatch=style.hatch,
                linewidth=1.2,
            )
            middle = ax.vlines(median, row - 0.25, row + 0.25, color="black", linewidth=2)
            (mean,) = ax.plot(self.mean[row], row, "o", color="black", markersize=5, zorder=3)
            handles[f"label {label}"] = bar
            shares = f"{self.row_share[row]:.1%} of rows, {self.weight_share[row]:.1%} of weight"
            ticks.append(f"{wrapped(group, 40)}, label {label}\n{shares}")
        handles |= {"median": middle, "mean": mean}
        handles["weight 1"] = ax.axvline(1, color=REFERENCE, linestyle=":", linewidth=1.2, zorder=0)
        ax.set_yticks(range(len(ticks)), ticks, fontsize="small")
        ax.set_ylim(len(ticks) - 0.4, -0.6)
        ax.set_xlim(left=min(0, self.quantiles.min()))
        left_out = f"\n({self.n_unknown:,} rows of unknown group left out)" * (self.n_unknown > 0)
        ax.set_xlabel("sample weight" + left_out)
        ax.grid(axis="x", alpha=0.3)
        ax.set_axisbelow(True)
        legend_below(ax, list(handles.values()), list(handles))
        self._keep(ax)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Columns label, group, count, shares, mean and the five quantiles."""
        return columns_of(
            [
                {
                    "label": label,
                    "group": group,
                    "count": self.counts[i],
                    "row_share": self.row_share[i],
                    "weight_share": self.weight_share[i],
                    "mean": self.mean[i],
                }
                | {f"{q:.0%}": self.quantiles[i, k] for k, q in enumerate(QUANTILES)}
                for i, (label, group) in enumerate(self.cells)
            ]
        )
