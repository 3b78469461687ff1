"""The fairness report: its figures are those of the metrics, whatever goes in and comes out."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from fairsk import BayesOptimalFairPostProcessor, fairness_report
from fairsk.audit import FairnessReport
from fairsk.datasets import load_compas
from fairsk.metrics import disparity_intervals, fairness_violation, group_rates
from fairsk.notions import CONTRASTS, MEASURES, list_notions

FEW = {"n_resamples": 300}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n = 600
    A = pd.DataFrame(
        {
            "race": rng.choice(["<a>", "b", "c"], n, p=[0.5, 0.4, 0.1]).astype(object),
            "sex": rng.choice(["f", "m"], n).astype(object),
        }
    )
    A.loc[:19, "race"] = None
    y = rng.integers(0, 2, n)
    y_pred = (rng.random(n) < 0.2 + 0.3 * y + 0.2 * (A["sex"] == "m")).astype(int)
    return y, y_pred, A


# ------------------------------------------------------------------ figures


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("measure", MEASURES)
def test_every_violation_is_the_metric(data, measure, contrast, weighted):
    y, y_pred, A = data
    kind = {"measure": measure, "contrast": contrast}
    if weighted:
        kind["sample_weight"] = np.random.default_rng(1).uniform(0.5, 2, len(y))
    report = fairness_report(y_pred, y=y, sensitive_features=A, **kind, **FEW)
    of_family = {"race": A[["race"]], "sex": A[["sex"]], "race x sex": A}
    for features, groups in of_family.items():
        for notion in list_notions():
            if notion == "overall_equal_opportunity":
                continue
            expected = fairness_violation(
                y, y_pred, sensitive_features=groups, notion=notion, **kind
            )
            # Sums of a few hundred doubles in another order.
            assert report.violation(notion, features=features) == pytest.approx(expected, abs=1e-12)
    for row in report.tables["violations"]:
        assert row["violation_lower"] <= row["violation"] + 1e-12
        assert row["violation"] <= row["violation_upper"] + 1e-12


def test_rates_and_disparities_are_those_of_the_metrics(data):
    y, y_pred, A = data
    report = fairness_report(y_pred, y=y, sensitive_features=A["sex"], **FEW)
    rates = group_rates(y, y_pred, sensitive_features=A["sex"], **FEW)
    disparities = disparity_intervals(
        y, y_pred, sensitive_features=A["sex"], notion="demographic_parity", **FEW
    )
    for row in report.tables["rates"]:
        r = rates.rate_names.index(row["rate"])
        a = rates.group_labels.index(row["group"])
        assert row["value"] == pytest.approx(rates.estimates[r, a], abs=1e-12)
        # The same rates, resampled with the same seed, but for their order in the report.
        assert row["value_lower"] == pytest.approx(rates.lower[r, a], abs=1e-12)
        assert row["count"] == rates.counts[r, a]
        if row["rate"] == "selection_rate":
            assert row["disparity"] == pytest.approx(disparities.estimates[0, a], abs=1e-12)
            # Here it holds together with the other rates, so it is wider.
            assert row["disparity_lower"] < disparities.lower[0, a]
            assert row["disparity_upper"] > disparities.upper[0, a]


def test_families_are_single_features_then_intersections(data):
    y, y_pred, A = data
    third = A.assign(city=np.resize(["x", "y"], len(y)))

    def families(**options):
        report = fairness_report(y_pred, y=y, sensitive_features=third, **options, **FEW)
        return list(dict.fromkeys(row["features"] for row in report.tables["groups"]))

    assert families(max_intersection=1) == ["race", "sex", "city"]
    assert families() == ["race", "sex", "city", "race x sex", "race x city", "sex x city"]
    assert families(max_intersection=9)[-1] == "race x sex x city"


def test_missing_groups_are_unknown_where_they_are_missing(data):
    y, y_pred, A = data
    report = fairness_report(y_pred, y=y, sensitive_features=A, **FEW)
    assert report.settings["n_unknown"] == {"race": 20, "sex": 0, "race x sex": 20}
    count = {
        features: sum(r["count"] for r in report.tables["groups"] if r["features"] == features)
        for features in ("race", "sex", "race x sex")
    }
    assert count == {"race": 580, "sex": 600, "race x sex": 580}
    assert "left out: 20 by race, 20 by race x sex" in str(report)


def test_intervals_of_all_violations_hold_together():
    """On equal groups, no interval of a violation may exclude 0 more often than 5 %."""
    rng = np.random.default_rng(3)
    n, repeats, misses = 400, 200, 0
    for _ in range(repeats):
        A = rng.integers(0, 2, (n, 2)).astype(str)
        y, y_pred = rng.integers(0, 2, (2, n))
        report = fairness_report(y_pred, y=y, sensitive_features=A, n_resamples=400)
        misses += any(row["violation_lower"] > 0 for row in report.tables["violations"])
    # 200 tries at 5 %: 10 expected, and 20 is more than three standard errors above.
    assert misses <= 20


# ------------------------------------------------------------------ small and empty cells


def test_small_groups_are_flagged_and_may_be_excluded():
    rng = np.random.default_rng(0)
    group = np.array(["big"] * 300 + ["other"] * 300 + ["tiny"] * 3, dtype=object)
    y = rng.integers(0, 2, len(group))
    y_pred = np.where(group == "tiny", 1, y)
    options = {"y": y, "sensitive_features": group, "notions": "demographic_parity", **FEW}
    flagged = fairness_report(y_pred, **options)
    assert [row["group"] for row in flagged.tables["groups"] if row["small"]] == ["tiny"]
    assert flagged.tables["violations"][0]["group"] == "tiny"
    assert "tiny*: selection rate" in str(flagged)
    assert "* from fewer than 30 rows." in str(flagged)
    excluded = fairness_report(y_pred, small_groups="exclude", **options)
    assert excluded.tables["violations"][0]["group"] in ("big", "other")
    assert excluded.tables["violations"][0]["n_undefined"] == 1
    assert excluded.violation("demographic_parity") < flagged.violation("demographic_parity")
    pairs = fairness_report(y_pred, small_groups="exclude", contrast="groups", **options)
    only_big = group != "tiny"
    assert pairs.violation("demographic_parity") == pytest.approx(
        abs(y_pred[group == "big"].mean() - y_pred[group == "other"].mean())
    )
    assert only_big.sum() == 600
    none = fairness_report(y_pred, min_group_size=0, **options)
    assert "*" not in str(none)


def test_an_empty_cell_has_a_reason_and_no_value():
    y = np.array([0, 1] * 50 + [0] * 20)
    group = np.repeat(["a", "b"], [100, 20])
    report = fairness_report(y, y=y, sensitive_features=group, **FEW)
    (row,) = [
        r for r in report.tables["rates"] if r["group"] == "b" and r["rate"] == "true_positive_rate"
    ]
    assert math.isnan(row["value"]) and row["reason"] == "no positive rows"
    (lonely,) = [
        r for r in report.tables["rates"] if r["group"] == "a" and r["rate"] == "true_positive_rate"
    ]
    assert math.isnan(lonely["disparity"]) and lonely["reason"] == "no other group to compare with"
    assert math.isnan(report.violation("equal_opportunity"))
    text = str(report)
    assert "no positive rows" in text and "no two groups to compare" in text and "nan" not in text
    assert "null" in report.to_json() and "NaN" not in report.to_json()


def test_a_constant_feature_is_left_out_and_named(data):
    y, y_pred, A = data
    report = fairness_report(y_pred, y=y, sensitive_features=A.assign(place="here"), **FEW)
    assert "place is left out: every known value is 'here'." in str(report)
    with pytest.raises(ValueError, match="no two groups to compare.*every known value"):
        fairness_report(y_pred, y=y, sensitive_features=np.full(len(y), "here"), **FEW)


# ------------------------------------------------------------------ models


@pytest.fixture(scope="module")
def compas():
    X, y, A = load_compas(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X[::3], y[::3], A[::3]


def test_several_models_and_an_attribute_aware_one(compas):
    X, y, A = compas
    plain = LogisticRegression().fit(X, y)
    aware = BayesOptimalFairPostProcessor(
        LogisticRegression(), attribute_aware=True, tolerance=0.03, random_state=0
    ).fit(X, y, sensitive_features=A[:, 0])
    report = fairness_report(
        {"plain": plain, "given": plain.predict(X), "aware": aware},
        X,
        y,
        sensitive_features=A[:, 0],
        **FEW,
    )
    parity = [report.violation("demographic_parity", model=m) for m in ("plain", "given", "aware")]
    assert parity[0] == parity[1]
    # The rule holds its tolerance on the rows it was tuned on, up to cross-fitting.
    assert parity[2] < 0.05 < parity[0]
    assert [row["model"] for row in report.tables["models"]] == ["plain", "given", "aware"]
    assert report.tables["models"][0]["accuracy"] == pytest.approx(plain.score(X, y))


def test_labels_of_any_kind_and_one_class_against_the_rest(data):
    y, y_pred, A = data
    plain = fairness_report(y_pred, y=y, sensitive_features=A, **FEW)
    text = np.array(["no", "yes"])
    named = fairness_report(text[y_pred], y=text[y], sensitive_features=A, **FEW)
    assert named.tables == plain.tables or str(named) == str(plain)
    flipped = fairness_report(text[y_pred], y=text[y], sensitive_features=A, pos_label="no", **FEW)
    assert flipped.tables["models"][0]["selection_rate"] == pytest.approx(1 - y_pred.mean())
    three = np.array(["no", "yes", "maybe"])
    labels, predicted = np.where(np.arange(len(y)) % 5 == 0, 2, y), y_pred
    one = fairness_report(
        three[predicted], y=three[labels], sensitive_features=A, pos_label="yes", **FEW
    )
    by_hand = fairness_report(predicted == 1, y=labels == 1, sensitive_features=A, **FEW)
    assert str(one) == str(by_hand)
    with pytest.raises(ValueError, match="of 3 classes.*pos_label"):
        fairness_report(three[predicted], y=three[labels], sensitive_features=A)
    with pytest.raises(ValueError, match="pos_label='perhaps' is not among"):
        fairness_report(
            three[predicted], y=three[labels], sensitive_features=A, pos_label="perhaps"
        )


@pytest.mark.parametrize("pos_label", [0, 1])
def test_scores_need_a_threshold_or_a_reading(data, pos_label):
    y, _, A = data
    score = np.random.default_rng(0).random(len(y))
    with pytest.raises(ValueError, match="are scores.*threshold=0.5"):
        fairness_report(score, y=y, sensitive_features=A)
    model = LinearRegression().fit(score[:, None], y)
    with pytest.raises(ValueError, match="are scores.*regressor"):
        fairness_report(model, score[:, None], y, sensitive_features=A)
    cut = fairness_report(
        score, y=y, sensitive_features=A, threshold=0.7, pos_label=pos_label, **FEW
    )
    overall = cut.tables["models"][0]
    assert overall["selection_rate"] == pytest.approx((score >= 0.7).mean())
    assert overall["accuracy"] == pytest.approx(((score >= 0.7) == (y == pos_label)).mean())
    soft = fairness_report(
        score,
        y=y,
        sensitive_features=A,
        response_method="predict_proba",
        pos_label=pos_label,
        **FEW,
    )
    assert soft.tables["models"][0]["selection_rate"] == pytest.approx(score.mean())
    with pytest.raises(ValueError, match="are not probabilities"):
        fairness_report(3 * score, y=y, sensitive_features=A, response_method="predict_proba")


def test_estimators_are_cut_at_a_threshold(compas):
    X, y, A = compas
    probabilities, margins = LogisticRegression().fit(X, y), LinearSVC().fit(X, y)
    for model, scores in (
        (probabilities, probabilities.predict_proba(X)[:, 1]),
        (margins, margins.decision_function(X)),
    ):
        report = fairness_report(model, X, y, sensitive_features=A, threshold=0.3, **FEW)
        assert report.tables["models"][0]["selection_rate"] == pytest.approx((scores >= 0.3).mean())


def test_several_tasks_are_joined_by_their_notion(data):
    y, y_pred, A = data
    Y, P = np.column_stack([y, y[::-1]]), np.column_stack([y_pred, y_pred[::-1]])
    report = fairness_report(sparse.csr_array(P), y=Y, sensitive_features=A, **FEW)
    assert {row["notion"] for row in report.tables["violations"]} == {"overall_equal_opportunity"}
    expected = fairness_violation(
        Y, P, sensitive_features=A["sex"], notion="overall_equal_opportunity"
    )
    found = report.violation("overall_equal_opportunity", features="sex")
    assert found == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match=r"several tasks, which \['demographic_parity'\]"):
        fairness_report(P, y=Y, sensitive_features=A, notions="demographic_parity")


# ------------------------------------------------------------------ what comes out


def test_json_and_dict_round_trip(data):
    y, y_pred, A = data
    report = fairness_report(y_pred, y=y, sensitive_features=A, measure="ratio", **FEW)
    again = FairnessReport.from_json(report.to_json())
    assert str(again) == str(report)
    assert again.to_json() == report.to_json() == json.dumps(json.loads(report.to_json()))
    assert FairnessReport.from_dict(report.to_dict()).to_json() == report.to_json()
    with pytest.raises(ValueError, match="not of 'FairnessReport'"):
        FairnessReport.from_dict({"report": "GeneralizationReport"})


def test_an_infinite_ratio_survives_json():
    y = np.array([0, 1] * 40)
    y_pred, group = np.r_[np.zeros(40, int), np.tile([0, 1], 20)], np.repeat(["a", "b"], 40)
    report = fairness_report(y_pred, y=y, sensitive_features=group, measure="ratio", **FEW)
    again = FairnessReport.from_json(report.to_json())
    assert again.to_json() == report.to_json()
    assert report.violation("demographic_parity") == 0


def test_frames(data):
    y, y_pred, A = data
    report = fairness_report(y_pred, y=y, sensitive_features=A, **FEW)
    frame = report.to_frame()
    assert len(frame) == len(report.tables["rates"])
    assert frame["value"].to_numpy() == pytest.approx([r["value"] for r in report.tables["rates"]])
    violations = report.to_frame("violations", backend="polars")
    assert isinstance(violations, pl.DataFrame)
    assert violations["notion"].to_list()[0] == "demographic_parity"
    with pytest.raises(ValueError, match="table must be one of"):
        report.to_frame("figures")
    with pytest.raises(ValueError, match="backend must be"):
        report.to_frame(backend="dask")


def test_text_is_aligned_and_html_is_escaped(data):
    y, y_pred, A = data
    report = fairness_report({"<model>": y_pred}, y=y, sensitive_features=A, **FEW)
    lines = str(report).splitlines()
    start = lines[1].index("notion")
    # Every line of the table has its second column where the header has it.
    for line in lines[3:19]:
        assert line[start - 2 : start] == "  " and line[start] != " "
    html = report._repr_html_()
    assert "<a>" not in html and "&lt;a&gt;" in html and "&lt;model&gt;" in html
    # Self-contained: nothing is fetched.
    assert "http" not in html and "src=" not in html


def test_long_tables_are_cut_and_say_so(data):
    y, y_pred, A = data
    many = A.assign(place=np.resize(np.arange(20).astype(str), len(y)))
    report = fairness_report(y_pred, y=y, sensitive_features=many, **FEW)
    n_groups = len(report.tables["groups"])
    assert n_groups > 40
    assert f"{n_groups - 40} more groups in to_frame()." in str(report)
    assert len(str(report).splitlines()) < 90


def test_polars_and_lists_go_in(data):
    y, y_pred, A = data
    report = fairness_report(y_pred, y=y, sensitive_features=A, **FEW)
    values = {name: A[name].where(A[name].notna(), None).tolist() for name in A}
    values["race"] = [None if row < 20 else value for row, value in enumerate(values["race"])]
    other = fairness_report(
        pl.Series(y_pred), y=list(y), sensitive_features=pl.DataFrame(values), **FEW
    )
    assert str(other) == str(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"y": None}, "y is missing"),
        ({"y": [0, 1]}, "rows"),
        ({"y": np.linspace(0, 1, 600)}, "y is continuous.*equalized_odds_test"),
        ({"measure": "gap"}, "measure must be"),
        ({"confidence": 95}, "confidence must be"),
        ({"max_intersection": 0}, "max_intersection"),
        ({"min_group_size": -1}, "min_group_size"),
        ({"small_groups": "drop"}, "small_groups must be"),
        ({"response_method": "score"}, "response_method must be"),
        ({"threshold": "half"}, "threshold must be"),
        ({"notions": []}, "notions is empty"),
        ({"notions": "equality"}, "notion must be one of"),
        ({"estimator_or_predictions": {}}, "dict of models is empty"),
        ({"estimator_or_predictions": LogisticRegression()}, "X is missing"),
        ({"sensitive_features": np.linspace(0, 1, 600)}, "looks continuous"),
    ],
)
def test_what_cannot_be_audited_is_refused(data, options, message):
    y, y_pred, A = data
    given = {"estimator_or_predictions": y_pred, "y": y, "sensitive_features": A} | options
    with pytest.raises(ValueError, match=message):
        fairness_report(**given)
