"""Disparities: joined notions, intervals that hold together, the worst of each."""

import numpy as np
import pytest

from fairsk import disparity_intervals
from fairsk.notions import FairnessNotion, GroupRate, get_notion
from fairsk.plotting import DisparityDisplay

OPTIONS = {"n_resamples": 400}


@pytest.mark.parametrize("measure", ["difference", "ratio"])
@pytest.mark.parametrize("contrast", ["population", "groups"])
def test_worst_is_that_of_the_notion_alone(sample, measure, contrast):
    y, probability, group = sample
    options = OPTIONS | {"measure": measure, "contrast": contrast}
    display = DisparityDisplay.from_predictions(
        y,
        probability > 0.5,
        sensitive_features=group,
        notions=["equalized_odds", "demographic_parity"],
        **options,
    )
    for notion, (worst, lower, upper) in display.worst()["model"].items():
        alone = disparity_intervals(
            y, probability > 0.5, sensitive_features=group, notion=notion, **options
        )
        assert worst == pytest.approx(alone.worst, abs=1e-12)
        # Holding together over more rates, the interval is wider; the draws are the same.
        assert lower <= alone.worst_lower + 1e-12
        assert upper >= alone.worst_upper - 1e-12


def test_intervals_of_one_notion_are_its_report(sample):
    y, probability, group = sample
    display = DisparityDisplay.from_predictions(
        y, probability > 0.5, sensitive_features=group, notions="equal_opportunity", **OPTIONS
    )
    alone = disparity_intervals(
        y, probability > 0.5, sensitive_features=group, notion="equal_opportunity", **OPTIONS
    )
    frame = display.to_frame()
    for column in ("estimate", "lower", "upper"):
        expected = {"estimate": alone.estimates, "lower": alone.lower, "upper": alone.upper}
        np.testing.assert_array_equal(frame[column], expected[column][0])
    worst = display.worst()["model"]["equal_opportunity"]
    assert worst == pytest.approx((alone.worst, alone.worst_lower, alone.worst_upper), abs=1e-12)


def test_rows_and_series(sample):
    y, probability, group = sample
    settings = {"sensitive_features": group, "notions": ["equalized_odds"], **OPTIONS}
    one = DisparityDisplay.from_predictions(y, probability > 0.5, **settings)
    rows = [tick.get_text().replace("\n", " ") for tick in one.ax_.get_yticklabels()]
    assert rows == ["equalized odds: true positive rate", "equalized odds: false positive rate"]
    legend = [text.get_text() for text in one.ax_.get_legend().get_texts()]
    assert legend == ["left", "middle", "right"]
    both = {"a": probability > 0.5, "b": probability > 0.6}
    several = DisparityDisplay.from_predictions(y, both, **settings)
    assert [tick.get_text() for tick in several.ax_.get_yticklabels()] == ["equalized odds"]
    drawn = [bar[0].get_xdata()[0] for bar in several.errorbars_]
    assert drawn == [several.worst()[name]["equalized_odds"][0] for name in "ab"]


def test_tolerance_is_drawn_at_its_place(sample):
    y, probability, group = sample
    settings = {"sensitive_features": group, "notions": "demographic_parity", **OPTIONS}
    for options, places in (
        ({}, {-0.05, 0.0, 0.05}),
        ({"measure": "ratio"}, {0.05, 1.0, 20.0}),
        ({"show": "worst"}, {0.0, 0.05}),
        ({"show": "worst", "measure": "ratio"}, {0.05, 1.0}),
    ):
        display = DisparityDisplay.from_predictions(
            y, probability > 0.5, tolerance=0.05, **settings, **options
        )
        lines = {
            line.get_xdata()[0]
            for line in display.ax_.lines
            if line.get_linestyle() in "-:"
            and len(set(line.get_xdata())) == 1
            and len(line.get_xdata()) == 2
        }
        assert places <= lines
        # Hatched beyond the tolerance, within the picture.
        left, right = display.ax_.get_xlim()
        spans = [
            (patch.get_x(), patch.get_x() + patch.get_width())
            for patch in display.ax_.patches
            if patch.get_hatch()
        ]
        for start, stop in spans:
            assert left <= start < stop <= right + 1e-12
            assert not any(start < place < stop for place in places)


def test_errors(sample):
    y, probability, group = sample
    settings = {"sensitive_features": group, **OPTIONS}
    both = {"a": probability > 0.5, "b": probability > 0.6}
    with pytest.raises(ValueError, match="show must be one of"):
        DisparityDisplay.from_predictions(y, both, show="all", **settings)
    with pytest.raises(ValueError, match="draws one model, but there are 2"):
        DisparityDisplay.from_predictions(y, both, show="groups", **settings)
    with pytest.raises(ValueError, match="notions is empty"):
        DisparityDisplay.from_predictions(y, both, notions=[], **settings)
    with pytest.raises(ValueError, match="several tasks at once"):
        DisparityDisplay.from_predictions(y, both, notions="overall_equal_opportunity", **settings)
    with pytest.raises(ValueError, match="the dict is empty"):
        DisparityDisplay.from_predictions(y, {}, **settings)
    with pytest.raises(ValueError, match="named by the dict"):
        DisparityDisplay.from_predictions(y, both, name="c", **settings)
    twin = GroupRate("selection_rate", gain=(1, 0), offset=(0, 0), condition=(1, 1))
    clash = FairnessNotion("clash", (twin,), "the same name for another rate")
    with pytest.raises(ValueError, match="Two different rates are called 'selection_rate'"):
        DisparityDisplay.from_predictions(
            y, both, notions=[get_notion("demographic_parity"), clash], **settings
        )
