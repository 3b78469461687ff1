"""The gerrymandering audit finds who pays, and nobody where nobody does."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from fairsk import BayesOptimalFairPostProcessor, gerrymandering_audit
from fairsk.audit import GerrymanderingReport
from fairsk.datasets import load_compas

FEW = {"n_permutations": 499}


def make_columns(rng, n):
    return pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], n),
            "race": rng.choice(["a", "b", "<c>"], n, p=[0.5, 0.4, 0.1]),
            "age": rng.normal(40, 12, n).round(1),
        }
    )


def make_pair(rng, n, *, harm):
    """A fix along sex; with harm, at the cost of the old."""
    columns = make_columns(rng, n)
    y = rng.integers(0, 2, n)
    old = (columns["age"] > 50).to_numpy()
    wrong = rng.random(n) < np.where(columns["sex"] == "f", 0.3, 0.2)
    turns_right = wrong & (columns["sex"] == "f").to_numpy() & (rng.random(n) < 0.3)
    rate = np.where(old, 0.3, 0.02) if harm else 0.05
    turns_wrong = ~wrong & (rng.random(n) < rate)
    fair_wrong = (wrong & ~turns_right) | turns_wrong
    return columns, y, np.where(wrong, 1 - y, y), np.where(fair_wrong, 1 - y, y)


@pytest.fixture(scope="module")
def harmed():
    return make_pair(np.random.default_rng(0), 8000, harm=True)


def row_of(report, features, group=None):
    table = "columns" if group is None else "subgroups"
    (row,) = [
        row
        for row in report.tables[table]
        if row["features"] == features and (group is None or row["group"] == group)
    ]
    return row


# ------------------------------------------------------------------ pairs


def test_who_pays_for_the_fix_is_found(harmed):
    columns, y, before, after = harmed
    report = gerrymandering_audit(after, y=y, columns=columns, baseline=before, fixed="sex", **FEW)
    assert "age" in report.significant()
    assert "race" not in report.significant()
    assert report.tables["columns"][0]["features"] == "sex"
    age = row_of(report, "age")
    assert age["cohens_d"] > 0.5 and age["test"] == "Welch t"
    assert age["verdict"] == "wider"
    assert row_of(report, "sex")["verdict"] == "narrower"
    oldest = next(row for row in report.tables["subgroups"] if row["features"] == "age")
    # Sorted by effect: the group that is harmed most comes first.
    assert oldest["group"].endswith(f"{columns['age'].max():g}")
    assert oldest["share_rose"] > oldest["share_fell"]
    assert oldest["rate"] > oldest["rate_before"]
    text = str(report)
    assert "turned wrong" in text and "sex (fixed)" in text


def test_figures_of_a_subgroup_are_counts(harmed):
    columns, y, before, after = harmed
    report = gerrymandering_audit(after, y=y, columns=columns, baseline=before, **FEW)
    inside = (columns["race"] == "b").to_numpy()
    to_wrong, to_right = (before == y) & (after != y), (before != y) & (after == y)
    row = row_of(report, "race", "b")
    assert row["n_rose"] == (to_wrong & inside).sum()
    assert row["n_fell"] == (to_right & inside).sum()
    assert row["share_rose"] == pytest.approx(inside[to_wrong].mean())
    assert row["rate_before"] == pytest.approx((before != y)[inside].mean())
    assert row["rate_others"] == pytest.approx((after != y)[~inside].mean())
    assert report.settings["n_rose"] == to_wrong.sum()
    race = row_of(report, "race")
    rates = [(after != y)[columns["race"] == value].mean() for value in columns["race"].unique()]
    assert race["gap"] == pytest.approx(max(rates) - min(rates))
    assert race["change"] == pytest.approx(race["gap"] - race["gap_before"])
    assert race["change_lower"] <= race["change"] <= race["change_upper"]


@pytest.mark.parametrize("paired", [True, False])
def test_family_wise_error_without_harm(paired):
    """Where flips (or errors) depend on no column, an audit names one at most 5 % of the time."""
    rng = np.random.default_rng(1)
    repeats, alarms = 60, {"columns": 0, "subgroups": 0, "changes": 0}
    for _ in range(repeats):
        columns = make_columns(rng, 500)
        y = rng.integers(0, 2, 500)
        before, after = (np.where(rng.random(500) < 0.3, 1 - y, y) for _ in range(2))
        report = gerrymandering_audit(
            after, y=y, columns=columns, baseline=before if paired else None, **FEW
        )
        alarms["columns"] += bool(report.significant())
        alarms["subgroups"] += bool(report.significant(table="subgroups"))
        alarms["changes"] += any(
            row["verdict"] in ("wider", "narrower") for row in report.tables["columns"]
        )
    # 3 expected of 60; 5 more are three standard errors.
    assert max(alarms.values()) <= 8


def test_false_discovery_rate_is_adjusted_too(harmed):
    columns, y, before, after = harmed
    report = gerrymandering_audit(after, y=y, columns=columns, baseline=before, **FEW)
    assert set(report.significant()) <= set(report.significant(by="benjamini_hochberg"))
    for row in report.tables["columns"]:
        assert row["pvalue"] <= row["benjamini_hochberg"] <= row["holm"]


def test_flips_of_decisions_need_no_labels(harmed):
    columns, _, before, after = harmed
    report = gerrymandering_audit(
        after, columns=columns, baseline=before, rate="selection_rate", **FEW
    )
    assert report.settings["n_rose"] == ((after == 1) & (before == 0)).sum()
    assert "turned positive" in str(report)
    named = gerrymandering_audit(
        np.array(["no", "yes"])[after],
        columns=columns,
        baseline=np.array(["no", "yes"])[before],
        rate="selection_rate",
        **FEW,
    )
    assert named.to_json() == report.to_json()
    with pytest.raises(ValueError, match="y is missing: the error_rate"):
        gerrymandering_audit(after, columns=columns, baseline=before)


def test_rates_of_one_label_use_its_rows(harmed):
    columns, y, before, after = harmed
    report = gerrymandering_audit(
        after, y=y, columns=columns, baseline=before, rate="true_positive_rate", **FEW
    )
    inside = (columns["sex"] == "f").to_numpy() & (y == 1)
    row = row_of(report, "sex", "f")
    assert row["count"] == inside.sum()
    assert row["rate"] == pytest.approx(after[inside].mean())
    assert report.settings["n_rows"] == (y == 1).sum()


def test_errors_of_many_classes():
    rng = np.random.default_rng(0)
    columns = make_columns(rng, 900)
    y = rng.integers(0, 6, 900)
    before = np.where(rng.random(900) < 0.3, (y + 1) % 6, y)
    after = np.where(rng.random(900) < np.where(columns["sex"] == "f", 0.5, 0.1), (y + 1) % 6, y)
    report = gerrymandering_audit(after, y=y, columns=columns, baseline=before, **FEW)
    assert "sex" in report.significant()
    with pytest.raises(ValueError, match="of 6 classes"):
        gerrymandering_audit(after, y=y, columns=columns, rate="selection_rate")


# ------------------------------------------------------------------ one model, labels


def test_one_model_and_the_labels_themselves(harmed):
    columns, y, _, after = harmed
    report = gerrymandering_audit(after, y=y, columns=columns, max_intersection=1, **FEW)
    assert report.significant()[0] == "age"
    assert "age: " in " ".join(report.significant(table="subgroups"))
    row = row_of(report, "sex", "m")
    men = (columns["sex"] == "m").to_numpy()
    assert row["rate"] == pytest.approx((after != y)[men].mean())
    assert math.isnan(row["rate_before"]) and math.isnan(row_of(report, "sex")["change"])
    labels = gerrymandering_audit(y, columns=columns, rate="selection_rate", **FEW)
    assert row_of(labels, "sex", "m")["rate"] == pytest.approx(y[men].mean())
    assert not labels.significant()


def test_estimators_and_attribute_aware_ones():
    X, y, A = load_compas(return_X_y=True)
    X = ((X - X.mean(axis=0)) / X.std(axis=0))[::3]
    y, A = y[::3], A[::3]
    base = LogisticRegression().fit(X, y)
    fair = BayesOptimalFairPostProcessor(
        LogisticRegression(), attribute_aware=True, tolerance=0.01, random_state=0
    ).fit(X, y, sensitive_features=A[:, 1])
    options = {
        "columns": pd.DataFrame(A, columns=["race", "sex"]),
        "rate": "selection_rate",
        "prediction_features": A[:, 1],
        **FEW,
    }
    report = gerrymandering_audit(fair, X, y, baseline=base, fixed="sex", **options)
    by_hand = gerrymandering_audit(
        fair.predict(X, sensitive_features=A[:, 1]),
        y=y,
        baseline=base.predict(X),
        fixed="sex",
        **options,
    )
    assert report.to_json() == by_hand.to_json()
    assert row_of(report, "sex")["change"] < 0
    cut = gerrymandering_audit(
        base, X, columns=options["columns"], rate="selection_rate", threshold=0.3
    )
    men = A[:, 1] == "Male"
    scores = base.predict_proba(X)[:, 1]
    assert row_of(cut, "sex", "Male")["rate"] == pytest.approx((scores >= 0.3)[men].mean())


# ------------------------------------------------------------------ columns, weights


def test_small_groups_missing_values_and_numbers(harmed):
    columns, y, before, after = harmed
    given = columns.assign(race=columns["race"].where(np.arange(8000) > 100, None))
    given.loc[:4, "race"] = "few"
    given.loc[200:299, "age"] = np.nan
    report = gerrymandering_audit(after, y=y, columns=given, baseline=before, **FEW)
    few = row_of(report, "race", "few")
    assert few["small"] and few["count"] == 5 and math.isnan(few["pvalue"])
    assert "Left out: 7 groups of fewer than 30 rows." in str(report)
    assert sum(r["count"] for r in report.tables["subgroups"] if r["features"] == "race") == 7904
    ages = [row for row in report.tables["subgroups"] if row["features"] == "age"]
    assert len(ages) == 4 and sum(row["count"] for row in ages) == 7900
    halves = gerrymandering_audit(after, y=y, columns=given[["age"]], n_bins=2)
    assert len(halves.tables["subgroups"]) == 2
    as_groups = gerrymandering_audit(after, y=y, columns=given[["sex"]].assign(n=1), numeric=["n"])
    assert row_of(as_groups, "n")["reason"] == "one group"
    with pytest.raises(ValueError, match="'race' is not of numbers"):
        gerrymandering_audit(after, y=y, columns=given, numeric=["race"])


def test_weights_change_rates_and_tests(harmed):
    columns, y, before, after = harmed
    weight = np.random.default_rng(0).uniform(0.5, 2, 8000)
    report = gerrymandering_audit(
        after, y=y, columns=columns, baseline=before, sample_weight=weight, **FEW
    )
    women = (columns["sex"] == "f").to_numpy()
    expected = np.average((after != y)[women], weights=weight[women])
    assert row_of(report, "sex", "f")["rate"] == pytest.approx(expected)
    assert {row["test"] for row in report.tables["columns"]} == {"Wald", "weighted z"}
    assert "age" in report.significant()
    # A row without weight is no row.
    kept = np.arange(8000) % 2 == 0
    masked = gerrymandering_audit(
        after, y=y, columns=columns, baseline=before, sample_weight=kept.astype(float), **FEW
    )
    assert masked.settings["n_rows"] == 4000


def test_containers(harmed):
    columns, y, before, after = harmed
    report = gerrymandering_audit(after, y=y, columns=columns, baseline=before, **FEW)
    other = gerrymandering_audit(
        list(after),
        y=pl.Series(y),
        columns=pl.DataFrame({name: columns[name].tolist() for name in columns}),
        baseline=pd.Series(before),
        **FEW,
    )
    assert other.to_json() == report.to_json()


def test_numbers_are_cut_into_groups_of_about_equal_size():
    rng = np.random.default_rng(0)
    n = 1000
    given = pd.DataFrame(
        {
            "even": rng.normal(size=n),
            "amount": np.where(rng.random(n) < 0.9, 0.0, rng.uniform(1, 99, n).round(2)),
            "hours": np.where(rng.random(n) < 0.5, 40, rng.integers(1, 80, n)),
            "constant": 3.0,
        }
    )
    audit = gerrymandering_audit(
        rng.integers(0, 2, n),
        columns=given,
        rate="selection_rate",
        numeric=list(given),
        min_group_size=0,
        max_intersection=1,
    )
    groups = {
        name: {r["group"]: r["count"] for r in audit.tables["subgroups"] if r["features"] == name}
        for name in given
    }
    assert list(groups["even"].values()) == [250] * 4
    zeros = int((given["amount"] == 0).sum())
    assert groups["amount"]["0"] == zeros and len(groups["amount"]) == 4
    forty = int((given["hours"] == 40).sum())
    assert groups["hours"]["40"] == forty and 3 <= len(groups["hours"]) <= 5
    # No bin reaches over the value that is one by itself.
    assert all(" to " not in name or "40" not in name.split(" to ") for name in groups["hours"])
    assert groups["constant"] == {"3": n}
    assert all(sum(sizes.values()) == n for sizes in groups.values())


# ------------------------------------------------------------------ what comes out


def test_round_trip_and_html(harmed):
    columns, y, before, after = harmed
    report = gerrymandering_audit(
        after, y=y, columns=columns, baseline=before, fixed=["sex"], **FEW
    )
    again = GerrymanderingReport.from_json(report.to_json())
    assert str(again) == str(report) and again.to_json() == report.to_json()
    assert "NaN" not in report.to_json() and json.loads(report.to_json())["settings"]["paired"]
    html = report._repr_html_()
    assert "<c>" not in html and "&lt;c&gt;" in html
    assert len(report.to_frame("columns")) == 6
    # Sorted: fixed, then significant, then by effect size.
    ranks = [(not r["fixed"], not r["holm"] <= 0.05) for r in report.tables["columns"]]
    assert ranks == sorted(ranks)


def test_no_flip_is_no_finding(harmed):
    columns, y, before, _ = harmed
    report = gerrymandering_audit(before, y=y, columns=columns, baseline=before, **FEW)
    assert report.significant() == [] and report.settings["n_rose"] == 0
    assert {row["reason"] for row in report.tables["columns"]} == {"one side only"}
    assert {row["verdict"] for row in report.tables["columns"]} == {"not distinguishable"}
    assert "0 of 8,000 rows flipped" in str(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": "gender"}, "fixed names"),
        ({"rate": "equalized_odds"}, "has 2 rates"),
        ({"rate": "speed"}, "rates must be names"),
        ({"numeric": ["agee"]}, "numeric names"),
        ({"categorical_test": "g"}, "categorical_test must be"),
        ({"numeric_test": "z"}, "numeric_test must be"),
        ({"alternative": "less"}, "alternative must be"),
        ({"n_bins": 1}, "n_bins must be"),
        ({"n_permutations": 5}, "n_permutations must be"),
        ({"columns": [[1], [2]]}, "rows"),
        ({"estimator_or_predictions": LogisticRegression()}, "X is missing"),
        ({"estimator_or_predictions": np.linspace(0, 1, 8000)}, "are scores"),
        ({"y": np.zeros((8000, 2))}, "several tasks"),
    ],
)
def test_what_cannot_be_audited_is_refused(harmed, options, message):
    columns, y, before, after = harmed
    given = {"estimator_or_predictions": after, "y": y, "columns": columns, "baseline": before}
    with pytest.raises(ValueError, match=message):
        gerrymandering_audit(**(given | options))
