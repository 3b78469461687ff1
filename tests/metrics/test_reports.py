"""Reports of rates and disparities: what they hold and how they read."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from fairsk.metrics import (
    disparity_intervals,
    fairness_violation,
    group_auc_gap,
    group_rates,
    overall_equal_opportunity_difference,
    overall_equal_opportunity_ratio,
)
from fairsk.notions import (
    CONTRASTS,
    MEASURES,
    FairnessNotion,
    GroupRate,
    UndefinedFairnessWarning,
    get_notion,
)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    group = np.array(["a", "b", "<c>"], dtype=object)[rng.integers(0, 3, 300)]
    group[:11] = None
    return {
        "y_true": y,
        "y_pred": (rng.random(300) < 0.2 + 0.5 * y).astype(int),
        "sensitive_features": group,
        "n_resamples": 300,
    }


def test_rates_agree_with_fairlearn(data):
    peer = pytest.importorskip("fairlearn.metrics")
    weight = np.random.default_rng(1).uniform(0.5, 2, 300)
    report = group_rates(**data, sample_weight=weight)
    known = data["sensitive_features"] != None  # noqa: E711 - elementwise
    frame = peer.MetricFrame(
        metrics={
            "selection_rate": peer.selection_rate,
            "true_positive_rate": peer.true_positive_rate,
            "false_positive_rate": peer.false_positive_rate,
        },
        y_true=data["y_true"][known],
        y_pred=data["y_pred"][known],
        sensitive_features=data["sensitive_features"][known].astype(str),
        sample_params={
            name: {"sample_weight": weight[known]}
            for name in ("selection_rate", "true_positive_rate", "false_positive_rate")
        },
    )
    # A few hundred double additions in another order.
    np.testing.assert_allclose(report.estimates[:3], frame.by_group.to_numpy().T, atol=1e-12)
    assert report.n_unknown == 11
    assert report.n_rows == 300


def test_report_reads_well_and_converts(data):
    report = group_rates(**data, rates=["selection_rate", "error_rate"])
    text = str(report)
    lines = text.splitlines()
    assert lines[0] == "Rates of 3 groups, 300 rows"
    assert lines[1].split()[:3] == ["group", "selection", "rate"]
    assert lines[-1] == "11 rows of unknown group are left out."
    starts = {line.index("0.") for line in lines[3:6]}
    assert len(starts) == 1
    assert "&lt;c&gt;" in report._repr_html_()
    assert report._repr_html_().count("<tr>") == 4
    frame = report.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == 6
    record = frame.iloc[4]
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["rates"][record["rate"]][record["group"]]["estimate"] == record["estimate"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.confidence = 0.5


def test_pointwise_intervals_are_narrower(data):
    wide = group_rates(**data)
    narrow = group_rates(**data, simultaneous=False)
    assert (narrow.upper - narrow.lower < wide.upper - wide.lower).all()
    assert "on its own" in str(narrow)


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("measure", MEASURES)
def test_disparities_are_the_metrics_and_lie_in_their_intervals(data, measure, contrast):
    kind = {"notion": "equalized_odds", "measure": measure, "contrast": contrast}
    report = disparity_intervals(**data, **kind)
    plain = {name: value for name, value in data.items() if name != "n_resamples"}
    assert report.worst == pytest.approx(fairness_violation(**plain, **kind), abs=1e-12)
    assert report.worst_lower <= report.worst <= report.worst_upper
    assert (report.lower <= report.estimates + 1e-12).all()
    assert (report.estimates <= report.upper + 1e-12).all()
    assert f"Worst {measure}: {report.worst:.3f}" in str(report)
    assert report.to_dict()["worst_upper"] == report.worst_upper


def test_independent_groups_are_named_by_their_feature():
    frame = pd.DataFrame({"sex": list("fmfm") * 5, "race": list("xxyy") * 5})
    report = group_rates(
        [0, 1] * 10,
        [1, 1] * 10,
        sensitive_features=frame,
        groups="independent",
        rates="demographic_parity",
        n_resamples=50,
    )
    assert report.group_labels == ("sex=f", "sex=m", "race=x", "race=y")


def test_rates_by_name_notion_or_object():
    arguments = {"sensitive_features": list("aabb"), "n_resamples": 20}
    y = [0, 1, 0, 1]
    rate = GroupRate("miss_rate", gain=(0, -1), offset=(0, 1), condition=(0, 1))
    assert group_rates(y, y, rates="error_rate", **arguments).rate_names == ("error_rate",)
    odds = group_rates(y, y, rates=get_notion("equalized_odds"), **arguments)
    assert odds.rate_names == ("true_positive_rate", "false_positive_rate")
    own = FairnessNotion("misses", (rate,), "as many misses in every group")
    assert group_rates(y, y, rates=own, **arguments).estimates.tolist() == [[0, 0]]
    assert group_rates(y, y, rates=[rate], **arguments).rate_names == ("miss_rate",)
    with pytest.raises(ValueError, match="rates must be names among"):
        group_rates(y, y, rates=["precision"], **arguments)
    with pytest.raises(ValueError, match="confidence"):
        group_rates(y, y, confidence=1, **arguments)


def test_empty_cells_in_reports():
    arguments = {
        "y_true": [0, 1, 0, 1, 1, 0, 0],
        "y_pred": [0, 1, 1, 1, 0, 1, 0],
        "sensitive_features": list("aabbbcc"),
        "n_resamples": 200,
    }
    with pytest.warns(UndefinedFairnessWarning, match="true_positive_rate of group c"):
        rates = group_rates(**arguments, rates="equalized_odds")
    assert np.isnan(rates.estimates).tolist() == [[False, False, True], [False] * 3]
    assert np.isnan(rates.lower).tolist() == np.isnan(rates.estimates).tolist()
    assert np.isnan(rates.standard_errors).tolist() == np.isnan(rates.estimates).tolist()
    assert "no rows" in str(rates)
    for measure in MEASURES:
        for contrast in CONTRASTS:
            kind = {"notion": "equal_opportunity", "measure": measure, "contrast": contrast}
            with pytest.warns(UndefinedFairnessWarning):
                nan = disparity_intervals(**arguments, **kind)
            assert np.isnan([nan.worst, nan.worst_lower, nan.worst_upper]).all()
            with pytest.warns(UndefinedFairnessWarning):
                skip = disparity_intervals(**arguments, **kind, empty="skip")
            assert np.isfinite([skip.worst, skip.worst_lower, skip.worst_upper]).all()
            with pytest.raises(ValueError, match="group c"):
                disparity_intervals(**arguments, **kind, empty="raise")


def test_a_lone_group_has_rates_but_no_disparity():
    y = [0, 1, 1, 0]
    report = group_rates(y, y, sensitive_features=["a"] * 4, n_resamples=20)
    assert report.estimates.ravel().tolist() == [0.5, 1, 0, 0]
    with pytest.raises(ValueError, match="is constant"):
        disparity_intervals(y, y, sensitive_features=["a"] * 4)
    with pytest.warns(UndefinedFairnessWarning):
        left = disparity_intervals(
            [0, 1, 0, 0],
            [0, 1, 0, 0],
            sensitive_features=list("aabb"),
            notion="equal_opportunity",
            empty="skip",
            n_resamples=20,
        )
    assert np.isnan([left.worst, left.estimates[0, 0], left.lower[0, 0]]).all()


def pairwise_auc(y, score, weight):
    """Weighted share of (positive, negative) pairs in the right order, ties half."""
    wins = pairs = 0.0
    for i in np.flatnonzero(y == 1):
        for j in np.flatnonzero(y == 0):
            pairs += weight[i] * weight[j]
            wins += weight[i] * weight[j] * ((score[i] > score[j]) + 0.5 * (score[i] == score[j]))
    return wins / pairs


def test_auc_gap_is_that_of_counted_pairs():
    rng = np.random.default_rng(2)
    y, group = rng.integers(0, 2, 120), rng.integers(0, 3, 120)
    score, weight = np.round(rng.normal(size=120) + y, 1), rng.uniform(0.5, 2, 120)
    auc = [
        pairwise_auc(y[rows], score[rows], weight[rows]) for rows in (group == a for a in range(3))
    ]
    options = {"sensitive_features": group, "sample_weight": weight}
    assert group_auc_gap(y, score, **options) == pytest.approx(np.ptp(auc), abs=1e-12)
    whole = pairwise_auc(y, score, weight)
    assert group_auc_gap(y, score, contrast="population", **options) == pytest.approx(
        np.abs(np.array(auc) - whole).max(), abs=1e-12
    )
    labels = np.array(["bad", "good"])[y]
    assert group_auc_gap(labels, score, **options) == pytest.approx(np.ptp(auc), abs=1e-12)


def test_auc_of_a_group_with_one_class():
    arguments = {
        "y_true": [0, 1, 0, 1, 1, 1],
        "y_score": [0.1, 0.9, 0.8, 0.2, 0.5, 0.6],
        "sensitive_features": list("aabbcc"),
    }
    with pytest.warns(UndefinedFairnessWarning, match="both labels.* of group c"):
        assert np.isnan(group_auc_gap(**arguments))
    with pytest.warns(UndefinedFairnessWarning, match="left out"):
        assert group_auc_gap(**arguments, empty="skip") == 1
    with pytest.raises(ValueError, match="group c"):
        group_auc_gap(**arguments, empty="raise")
    with pytest.raises(ValueError, match="finite"):
        group_auc_gap(**(arguments | {"y_score": [0, 1, np.inf, 0, 0, 0]}))


def test_overall_equal_opportunity_joins_tasks_and_overlapping_groups():
    rng = np.random.default_rng(3)
    y_true, y_pred = rng.random((200, 3)) < 0.2, rng.random((200, 3)) < 0.3
    member = (rng.random((200, 2)) < 0.4).astype(float)
    member[:20, 1] = np.nan
    negative, flagged = ~y_true.any(axis=1), y_pred.any(axis=1)

    def rate(m, g):
        return flagged[negative & (member[:, m] == g)].mean()

    inside, outside = (np.array([rate(m, g) for m in range(2)]) for g in (1, 0))
    options = {"sensitive_features": member}
    np.testing.assert_allclose(
        overall_equal_opportunity_difference(y_true, y_pred, **options), abs(inside - outside)
    )
    np.testing.assert_allclose(
        overall_equal_opportunity_ratio(y_true, y_pred, **options), inside / outside
    )
    # The notion serves the same labels, with one group set a column.
    gap = fairness_violation(
        y_true,
        y_pred,
        sensitive_features=member,
        notion="overall_equal_opportunity",
        groups="independent",
        contrast="groups",
    )
    assert gap == pytest.approx(abs(inside - outside).max(), abs=1e-12)


def test_overall_equal_opportunity_of_bad_input():
    y, h = [0, 0, 1, 0], [1, 0, 1, 0]
    with pytest.warns(UndefinedFairnessWarning, match="feature_1=1"):
        values = overall_equal_opportunity_difference(
            y, h, sensitive_features=[[1, 0], [0, 0], [1, 1], [0, 0]]
        )
    assert values[0] == 1
    assert np.isnan(values[1])
    with pytest.raises(ValueError, match="must be 0, 1 or missing"):
        overall_equal_opportunity_ratio(y, h, sensitive_features=[0, 1, 2, 0])
    with pytest.raises(ValueError, match="'nan' or 'raise'"):
        overall_equal_opportunity_ratio(y, h, sensitive_features=[0, 1, 1, 0], empty="skip")
    with pytest.raises(ValueError, match="Threshold them first"):
        overall_equal_opportunity_ratio(
            [[0, 1]] * 4, [[0.5, 0.2]] * 4, sensitive_features=[0, 1, 1, 0]
        )
    ratio = overall_equal_opportunity_ratio(
        [0] * 4, [1, 1, 0, 0], sensitive_features=[[1, 0], [1, 1], [0, 0], [0, 1]]
    )
    assert ratio.tolist() == [np.inf, 1]
