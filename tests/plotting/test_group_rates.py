"""Group rates: what is drawn is the report."""

import numpy as np
import pytest

from fairsk import group_rates
from fairsk.notions import UndefinedFairnessWarning
from fairsk.plotting import GroupRatesDisplay

OPTIONS = {"n_resamples": 300}


def test_marks_and_intervals_are_those_of_the_report(sample):
    y, probability, group = sample
    report = group_rates(y, probability > 0.5, sensitive_features=group, **OPTIONS)
    display = GroupRatesDisplay.from_predictions(
        y, probability > 0.5, sensitive_features=group, **OPTIONS
    )
    assert len(display.errorbars_) == 4
    for r, container in enumerate(display.errorbars_):
        line, _, (bars,) = container
        np.testing.assert_allclose(line.get_xdata(), report.estimates[r])
        ends = np.array([segment[:, 0] for segment in bars.get_segments()])
        # The bar is drawn by its distances from the estimate: one more rounding.
        np.testing.assert_allclose(ends, np.c_[report.lower[r], report.upper[r]], atol=1e-12)
    frame = display.to_frame()
    np.testing.assert_allclose(frame["estimate"], report.estimates.ravel())
    labels = [tick.get_text().split() for tick in display.ax_.get_yticklabels()]
    assert [label[0] for label in labels] == ["left", "middle", "right"]
    assert labels[0][1] == f"({report.counts[0, 0]})"


def test_a_rate_without_rows_is_named_and_not_drawn(sample):
    y, probability, group = sample
    y = np.where(group == "right", 0, y)
    with pytest.warns(UndefinedFairnessWarning):
        display = GroupRatesDisplay.from_predictions(
            y, probability > 0.5, sensitive_features=group, rates="true_positive_rate", **OPTIONS
        )
    assert [text.get_text() for text in display.ax_.texts] == ["no rows"]
    assert len(display.errorbars_[0][0].get_xdata()) == 2
    assert display.ax_.get_legend() is None


def test_name_is_the_title(sample):
    y, probability, group = sample
    display = GroupRatesDisplay.from_predictions(
        y, probability > 0.5, sensitive_features=group, name="a model", **OPTIONS
    )
    assert display.ax_.get_title() == "a model"
