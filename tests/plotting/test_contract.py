"""What holds for every display: axes, figures, data out, legends beside the data."""

import itertools
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

import fairsk.plotting
from fairsk import BayesOptimalFairPostProcessor
from fairsk.plotting import (
    DisparityDisplay,
    GroupCalibrationDisplay,
    GroupRatesDisplay,
    PermutationTestDisplay,
    SampleWeightDisplay,
    ThresholdsDisplay,
    TradeOffDisplay,
    TrainingHistoryDisplay,
)


def history(n):
    return [{"loss": 1 / (k + 1), "validation_loss": 2 / (k + 1)} for k in range(n)]


MAKE = {
    "rates": lambda y, p, a, **o: GroupRatesDisplay.from_predictions(
        y, p > 0.5, sensitive_features=a, n_resamples=200, **o
    ),
    "disparity": lambda y, p, a, **o: DisparityDisplay.from_predictions(
        y, p > 0.5, sensitive_features=a, n_resamples=200, **o
    ),
    "worst disparity": lambda y, p, a, **o: DisparityDisplay.from_predictions(
        y,
        {"strict": p > 0.7, "lenient": p > 0.3},
        sensitive_features=a,
        n_resamples=200,
        tolerance=0.05,
        **o,
    ),
    "trade-off": lambda y, p, a, **o: TradeOffDisplay.from_predictions(
        y,
        {"path": [p > 0.4, p > 0.5, p > 0.6], "point": p > 0.7},
        sensitive_features=a,
        n_resamples=200,
        tolerance=0.02,
        front=True,
        **o,
    ),
    "thresholds": lambda y, p, a, **o: ThresholdsDisplay.from_predictions(
        p, p > 0.5, sensitive_features=a, **o
    ),
    "calibration": lambda y, p, a, **o: GroupCalibrationDisplay.from_predictions(
        y, p, sensitive_features=a, **o
    ),
    "weights": lambda y, p, a, **o: SampleWeightDisplay.from_weights(
        p, y, sensitive_features=a, **o
    ),
    "test": lambda y, p, a, **o: PermutationTestDisplay.from_predictions(
        y,
        {"one": p, "two": p**3},
        sensitive_features=a,
        n_permutations=30,
        random_state=0,
        **o,
    ),
    "history": lambda y, p, a, **o: TrainingHistoryDisplay.from_history(history(20), best=3, **o),
}
DISPLAYS = pytest.mark.parametrize("make", MAKE.values(), ids=list(MAKE))


def marks(ax):
    """What an axes shows."""
    return len(ax.lines) + len(ax.patches) + len(ax.collections)


@DISPLAYS
def test_new_axes(make, sample):
    display = make(*sample)
    assert plt.get_fignums() == [display.figure_.number]
    assert display.ax_.figure is display.figure_
    assert marks(display.ax_) > 0


@DISPLAYS
def test_given_axes_are_drawn_on_and_no_figure_is_opened(make, sample):
    ax = Figure().subplots()
    display = make(*sample, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert plt.get_fignums() == []
    first = marks(ax)
    assert display.plot(ax=ax) is display
    assert marks(ax) > first
    # plot() again on other axes leaves the first ones alone.
    second = marks(ax)
    display.plot(ax=Figure().subplots())
    assert marks(ax) == second


@DISPLAYS
def test_the_data_come_back(make, sample):
    display = make(*sample, ax=Figure().subplots())
    columns = display.to_dict()
    assert len({len(values) for values in columns.values()}) == 1
    frame = display.to_frame()
    assert list(frame.columns) == list(columns)
    assert len(frame) > 0


@DISPLAYS
def test_the_legend_covers_neither_data_nor_labels(make, sample):
    display = make(*sample)
    display.figure_.canvas.draw()
    ax, legend = display.ax_, display.ax_.get_legend()
    box = legend.get_window_extent()
    # Half a pixel of rounding.
    assert box.y1 <= ax.get_window_extent().y0 + 0.5
    assert box.y1 <= ax.xaxis.label.get_window_extent().y0 + 0.5
    figure = display.figure_.bbox
    assert box.x0 >= figure.x0 - 0.5 and box.x1 <= figure.x1 + 0.5
    assert box.y0 >= figure.y0 - 0.5


@DISPLAYS
def test_labels_do_not_overlap(make, sample):
    display = make(*sample)
    display.figure_.canvas.draw()
    boxes = [tick.get_window_extent() for tick in display.ax_.get_yticklabels() if tick.get_text()]
    boxes.sort(key=lambda box: box.y0)
    for lower, upper in itertools.pairwise(boxes):
        assert lower.y1 <= upper.y0 + 1


@DISPLAYS
@pytest.mark.parametrize("series", [pd.Series, pl.Series], ids=["pandas", "polars"])
def test_containers_of_pandas_and_polars(make, series, sample):
    expected = make(*sample, ax=Figure().subplots()).to_frame()
    y, probability, group = sample
    found = make(series(y), probability, series(group.tolist()), ax=Figure().subplots())
    pd.testing.assert_frame_equal(found.to_frame(), expected)


def test_series_differ_without_colour():
    """Two series of one picture differ in marker, line or hatch, not in colour alone."""
    from fairsk.plotting._style import COLORS, style_of

    styles = [style_of(i) for i in range(7)]
    for attribute in ("color", "marker", "linestyle", "hatch"):
        assert len({str(getattr(style, attribute)) for style in styles}) == 7
    assert len({(s.color, s.marker) for s in map(style_of, range(70))}) == 70
    # Contrast on white of at least 1.9 : 1 (WCAG's formula): the lightest is orange.
    for color in COLORS:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = np.dot(linear, [0.2126, 0.7152, 0.0722])
        assert 1.05 / (luminance + 0.05) > 1.9


def test_every_display_is_public_and_tested():
    names = {name for name in fairsk.plotting.__all__ if name.endswith("Display")}
    y, probability, group = np.tile([0, 1], 50), np.linspace(0, 1, 100), np.repeat(["a", "b"], 50)
    made = {type(make(y, probability, group)).__name__ for make in MAKE.values()}
    assert made == names


def test_without_matplotlib():
    code = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError("blocked", name=name)
sys.meta_path.insert(0, Block())
import numpy as np
from fairsk.plotting import SampleWeightDisplay
display = SampleWeightDisplay([(0, "a")], np.ones((1, 5)), np.ones(1), np.ones(1, int))
print(display.to_dict()["mean"])
display.plot()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[1.]"
    assert result.stderr.splitlines()[-1] == (
        "ImportError: SampleWeightDisplay needs matplotlib, which is not installed. Install it "
        "with: pip install 'fairsk[plot]'"
    )


def test_estimators_that_need_the_groups_get_them(sample):
    y, probability, group = sample
    X = np.column_stack([probability, np.arange(len(y)) % 7])
    group[:10] = "left"
    model = BayesOptimalFairPostProcessor(
        LogisticRegression(), attribute_aware=True, tolerance=0.02, cv=2, random_state=0
    ).fit(X, y, sensitive_features=group)
    predicted = model.predict(X, sensitive_features=group)
    for display, method in (
        (GroupRatesDisplay, {}),
        (DisparityDisplay, {}),
        (TradeOffDisplay, {}),
    ):
        one = display.from_estimator(
            model, X, y, sensitive_features=group, n_resamples=100, **method
        )
        other = display.from_predictions(
            y, predicted, sensitive_features=group, n_resamples=100, name=type(model).__name__
        )
        pd.testing.assert_frame_equal(one.to_frame(), other.to_frame())
