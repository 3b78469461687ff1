"""The generalization report: values by group, gaps, verdicts, and what goes in and out."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    get_scorer,
    log_loss,
    make_scorer,
    mean_squared_error,
    recall_score,
    roc_auc_score,
)
from sklearn.tree import DecisionTreeClassifier

from fairsk import BayesOptimalFairPostProcessor, generalization_report
from fairsk.audit import GeneralizationReport
from fairsk.metrics import demographic_parity_difference

FEW = {"n_resamples": 500}


def make_rows(n, seed, *, noise=(0.1, 0.4)):
    """Labels that are noisier in group f: a tree memorises them, a linear model cannot."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n).astype(object)
    X = rng.normal(size=(n, 3))
    flipped = rng.random(n) < np.where(sex == "m", *noise)
    y = np.where((X[:, 0] > 0) ^ flipped, "yes", "no")
    return X, y, sex


@pytest.fixture(scope="module")
def rows():
    return make_rows(800, 0), make_rows(800, 1), make_rows(800, 2)


@pytest.fixture(scope="module")
def models(rows):
    X, y, _ = rows[0]
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    return {"tree": tree, "linear": LogisticRegression().fit(X, y)}


def by_group(report, **wanted):
    return {
        row["group"]: row["value"]
        for row in report.tables["values"]
        if all(row[key] == value for key, value in wanted.items())
    }


# ------------------------------------------------------------------ figures


def test_values_are_the_metrics_of_each_groups_rows(rows, models):
    weight = np.random.default_rng(0).uniform(0.5, 2, 800)
    train, test = (*rows[0], weight), (*rows[2], weight)
    report = generalization_report(
        models["linear"],
        train,
        test=test,
        metric=["accuracy", "roc_auc", "true_positive_rate", "neg_log_loss", "recall_weighted"],
        **FEW,
    )
    X, y, sex, w = test
    predicted, p = models["linear"].predict(X), models["linear"].predict_proba(X)[:, 1]
    for group in ("f", "m"):
        at = sex == group
        expected = {
            "accuracy": accuracy_score(y[at], predicted[at], sample_weight=w[at]),
            "roc_auc": roc_auc_score(y[at], p[at], sample_weight=w[at]),
            "true_positive_rate": recall_score(
                y[at], predicted[at], pos_label="yes", sample_weight=w[at]
            ),
            "neg_log_loss": -log_loss(y[at], p[at], sample_weight=w[at]),
            "recall_weighted": recall_score(
                y[at], predicted[at], average="weighted", sample_weight=w[at]
            ),
        }
        for metric, value in expected.items():
            found = by_group(report, metric=metric, split="test")[group]
            # Sums of a few hundred doubles in another order.
            assert found == pytest.approx(value, abs=1e-12)
    for row in report.tables["gaps"]:
        values = by_group(report, metric=row["metric"], split=row["split"])
        assert row["gap"] == pytest.approx(max(values.values()) - min(values.values()))
        assert row["gap_lower"] <= row["gap"] <= row["gap_upper"]
        assert values[row["lowest"]] <= values[row["highest"]]


def test_errors_agree_with_theory(rows, models):
    """A rate's cells, DeLong's variance and the jackknife: the same error by three ways."""
    X, y, sex = rows[2]
    n = (sex == "f").sum()

    def width(metric, **options):
        report = generalization_report(
            models["linear"],
            rows[0],
            test=rows[2],
            metric=metric,
            simultaneous=False,
            n_resamples=4000,
            **options,
        )
        (row,) = report.tables["changes"]
        return (row["change_upper"] - row["change_lower"]) / 2

    def share_right(y_true, y_pred):
        return float(np.mean(y_true == y_pred))

    # The jackknife of a mean over 50 blocks has an error of 10 %, quantiles of 4,000 draws 2 %;
    # four values (two groups, two splits) average it.
    assert width(share_right) == pytest.approx(width("accuracy"), rel=0.15)
    area = make_scorer(roc_auc_score, response_method="predict_proba")
    assert width(area) == pytest.approx(width("roc_auc"), rel=0.15)
    assert n > 300


def test_memorised_rows_are_called_overfit_and_a_linear_model_is_not(rows, models):
    report = generalization_report(models, rows[0], rows[1], rows[2])
    assert report.overfits() == {"tree": True, "linear": False}
    assert report.overfits(split="validation") == {"tree": True, "linear": False}
    assert report.overfits(split="test", reference="validation") == {"tree": False, "linear": False}
    swapped = generalization_report(models["tree"], rows[1], test=rows[0])
    assert swapped.tables["changes"][0]["verdict"] == "smaller gap"
    with pytest.raises(ValueError, match="does not compare 'train' with 'test'"):
        report.overfits(split="train", reference="test")


def test_false_alarms_and_detections():
    """Equal accuracies give few alarms, also on 234 test rows; a real change is found."""
    rng = np.random.default_rng(0)

    def draw(n, accuracy):
        y, group = rng.integers(0, 2, (2, n))
        right = rng.random(n) < np.asarray(accuracy)[group]
        return y, group.astype(str), np.where(right, y, 1 - y)

    def share(n_test, train, test, repeats=150):
        calls = 0
        for _ in range(repeats):
            a, b = draw(2000, train), draw(n_test, test)
            report = generalization_report(
                {"train": a[2], "test": b[2]},
                (None, *a[:2]),
                test=(None, *b[:2]),
                n_resamples=400,
            )
            calls += report.overfits()["predictions"]
        return calls / repeats

    # At most 2.5 % by construction; 3.8 points more are three standard errors.
    assert share(234, (0.8, 0.8), (0.8, 0.8)) <= 0.063
    assert share(1000, (0.8, 0.7), (0.8, 0.7)) <= 0.063
    # A gap of .15 on 1,000 rows is five standard errors from zero.
    assert share(1000, (1.0, 1.0), (0.8, 0.65), repeats=50) > 0.9


def test_tasks_have_a_line_each_and_their_average():
    X, Y = make_multilabel_classification(600, n_classes=3, random_state=0)
    group = np.random.default_rng(0).choice(["f", "m"], 600)
    names = ["CO", "ED", "PE"]
    forest = RandomForestClassifier(20, random_state=0).fit(X[:300], Y[:300])
    parts = [
        (X[at], pd.DataFrame(Y[at], columns=names), group[at])
        for at in (slice(0, 300), slice(300, 600))
    ]
    report = generalization_report(
        forest, parts[0], test=parts[1], metric=["roc_auc", "accuracy", "selection_rate"], **FEW
    )
    tasks = [
        r["task"]
        for r in report.tables["gaps"]
        if r["metric"] == "roc_auc" and r["split"] == "test"
    ]
    assert tasks == [*names, "average"]
    score = np.column_stack([part[:, 1] for part in forest.predict_proba(X[300:])])
    women = group[300:] == "f"
    expected = roc_auc_score(Y[300:][women, 2], score[women, 2])
    found = by_group(report, metric="roc_auc", task="PE", split="test")
    assert found["f"] == pytest.approx(expected, abs=1e-12)
    gaps = {
        r["task"]: r["gap"]
        for r in report.tables["gaps"]
        if r["metric"] == "roc_auc" and r["split"] == "test"
    }
    assert gaps["average"] == pytest.approx(np.mean([gaps[name] for name in names]))
    rate = by_group(report, metric="selection_rate", task="ED", split="test")["f"]
    assert rate == pytest.approx(forest.predict(X[300:])[women, 1].mean(), abs=1e-12)
    assert "roc auc, average" in str(report)


# ------------------------------------------------------------------ what goes in


def test_regressors_and_losses(rows):
    X, y, sex = rows[0]
    target = X @ [1.0, 2.0, 3.0] + np.where(sex == "f", 2.0, 0.5) * np.random.default_rng(0).normal(
        size=len(X)
    )
    model = Ridge().fit(X[:400], target[:400])
    parts = [(X[at], target[at], sex[at]) for at in (slice(0, 400), slice(400, 800))]
    report = generalization_report(
        model,
        parts[0],
        test=parts[1],
        metric=["neg_mean_squared_error", mean_squared_error, "r2"],
        **FEW,
    )
    named = by_group(report, metric="neg_mean_squared_error", split="test")
    called = by_group(report, metric="mean_squared_error", split="test")
    assert named["f"] == pytest.approx(-called["f"])
    assert called["f"] > 4 * called["m"]
    with pytest.raises(ValueError, match="are scores, not labels"):
        generalization_report(
            LinearRegression().fit(X, X[:, 0] > 0),
            (X, X[:, 0] > 0, sex),
            test=(X, X[:, 0] > 0, sex),
        )


def test_predictions_instead_of_estimators(rows, models):
    splits = {"train": rows[0], "test": rows[2]}
    given = {name: models["tree"].predict(part[0]) for name, part in splits.items()}
    without_X = {name: (None, *part[1:]) for name, part in splits.items()}
    report = generalization_report(given, without_X["train"], test=without_X["test"], **FEW)
    asked = generalization_report(models["tree"], rows[0], test=rows[2], **FEW)
    assert [r["gap"] for r in report.tables["gaps"]] == [r["gap"] for r in asked.tables["gaps"]]
    several = generalization_report(
        {"given": given, "asked": models["tree"]}, rows[0], test=rows[2], **FEW
    )
    gaps = [r["gap"] for r in several.tables["gaps"] if r["split"] == "test"]
    assert gaps[0] == gaps[1]
    scores = {name: models["linear"].predict_proba(part[0])[:, 1] for name, part in splits.items()}
    area = generalization_report(scores, rows[0], test=rows[2], metric="roc_auc", **FEW)
    direct = generalization_report(models["linear"], rows[0], test=rows[2], metric="roc_auc", **FEW)
    assert area.tables["gaps"][0]["gap"] == direct.tables["gaps"][0]["gap"]


def test_attribute_aware_models_are_told_the_groups(rows):
    X, y, sex = rows[0]
    model = BayesOptimalFairPostProcessor(
        LogisticRegression(), attribute_aware=True, cv=2, random_state=0
    ).fit(X, y, sensitive_features=sex)
    report = generalization_report(
        model, rows[0], test=rows[2], metric=["selection_rate", "neg_log_loss"], **FEW
    )
    predicted = model.predict(rows[2][0], sensitive_features=rows[2][2])
    women = rows[2][2] == "f"
    found = by_group(report, metric="selection_rate", split="test")["f"]
    assert found == pytest.approx(np.mean(predicted[women] == "yes"), abs=1e-12)


def test_frames_mappings_missing_groups_and_families(rows, models):
    X, y, sex = rows[0]
    race = np.random.default_rng(0).choice(["a", "b"], len(y)).astype(object)
    race[:25] = None
    train = {"X": X, "y": y, "sensitive_features": pd.DataFrame({"sex": sex, "race": race})}
    test = {
        "X": rows[2][0],
        "y": rows[2][1],
        "sensitive_features": pl.DataFrame({"sex": list(rows[2][2]), "race": list(race)}),
    }
    report = generalization_report(models["linear"], train, test=test, **FEW)
    assert report.settings["n_unknown"] == {"train": 25, "test": 25}
    assert report.tables["gaps"][0]["features"] == "sex x race"
    both = generalization_report(models["linear"], train, test=test, groups="independent", **FEW)
    assert {row["features"] for row in both.tables["gaps"]} == {"sex", "race"}
    assert "accuracy by race" in str(both)


def test_a_group_that_a_split_lacks_is_in_no_gap(rows, models):
    X, y, sex = rows[2]
    few = np.where(np.arange(len(y)) < 5, "x", sex)
    test = (X[5:], y[5:], sex[5:])
    report = generalization_report(models["linear"], (X, y, few), test=test, **FEW)
    (row,) = [r for r in report.tables["values"] if r["group"] == "x" and r["split"] == "test"]
    assert math.isnan(row["value"]) and row["reason"] == "no rows"
    assert report.tables["changes"][0]["verdict"] == "not distinguishable"
    text = str(report)
    assert "Without value, and in no gap: x on test: no rows" in text
    assert "* from fewer than 30 rows." in text
    one_label = generalization_report(
        models["linear"],
        (X, y, np.where(y == "no", "n", sex)),
        test=(X, y, np.where(y == "no", "n", sex)),
        metric=["roc_auc", "neg_log_loss"],
        **FEW,
    )
    assert {r["reason"] for r in one_label.tables["values"] if r["metric"] == "roc_auc"} == {
        "one label only"
    }
    assert one_label.tables["changes"][0]["verdict"] == "not compared"


# ------------------------------------------------------------------ what comes out


def test_the_table_has_the_papers_shape(rows, models):
    report = generalization_report(models, *rows, **FEW)
    header = str(report).splitlines()[1]
    order = [f"{split} {part}" for split in report.settings["splits"] for part in ("f", "m", "gap")]
    positions = [header.index(column) for column in order]
    assert positions == sorted(positions)
    assert len(str(report).split("\n\n")) == 2
    assert "<caption>Gaps between groups" in report._repr_html_()


def test_json_round_trip_and_frames(rows, models):
    report = generalization_report(models, *rows, metric="equalized_odds", **FEW)
    again = GeneralizationReport.from_json(report.to_json())
    assert str(again) == str(report) and again.to_json() == report.to_json()
    frame = report.to_frame()
    assert list(frame["split"].unique()) == ["train", "validation", "test"]
    assert len(report.to_frame("changes")) == 2 * 2 * 3


def test_the_same_seed_gives_the_same_report(rows, models):
    train, test = (tuple(part[:120] for part in split) for split in (rows[0], rows[2]))
    once, twice = (
        generalization_report(models["linear"], train, test=test, metric="f1_macro", **FEW)
        for _ in range(2)
    )
    assert once.to_json() == twice.to_json()


def test_intervals_that_hold_together_are_wider(rows, models):
    together = generalization_report(models, *rows, **FEW)
    alone = generalization_report(models, *rows, simultaneous=False, **FEW)
    for wide, narrow in zip(together.tables["gaps"], alone.tables["gaps"], strict=True):
        assert wide["gap_upper"] > narrow["gap_upper"]
    assert "Each gap lies" in str(alone)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"test": None}, ValueError, "held-out rows"),
        ({"test": [0]}, TypeError, "test must be a tuple"),
        ({"test": {"X": 0, "labels": 1}}, ValueError, "test must be a mapping.*lacks"),
        ({"test": ([[0]], [0, 1], ["f", "m"])}, ValueError, "rows"),
        ({"metric": "accurracy"}, ValueError, "metric must be 'accuracy'"),
        ({"metric": []}, ValueError, "metric is empty"),
        ({"metric": 3}, ValueError, "name or a function"),
        ({"metric": demographic_parity_difference}, ValueError, "compares groups by itself"),
        ({"estimator": {"m": {"train": [0]}}}, ValueError, r"not of \['test'\]"),
        ({"estimator": {"m": [0, 1]}}, TypeError, "must be a fitted estimator"),
        ({"estimator": {}}, ValueError, "dict of models is empty"),
        ({"confidence": 2}, ValueError, "confidence must be"),
        ({"groups": "each"}, ValueError, "groups must be"),
    ],
)
def test_what_cannot_be_reported_is_refused(rows, models, options, error, message):
    given = {"estimator": models["linear"], "train": rows[0], "test": rows[2]} | options
    with pytest.raises(error, match=message):
        generalization_report(**given)


def test_a_scorers_name_needs_an_estimator(rows, models):
    given = {"train": rows[0][1], "test": rows[2][1]}
    with pytest.raises(ValueError, match="asks an estimator for its response"):
        generalization_report(given, rows[0], test=rows[2], metric="neg_log_loss")
    scorer = get_scorer("balanced_accuracy")
    report = generalization_report(models["linear"], rows[0], test=rows[2], metric=scorer, **FEW)
    assert report.tables["gaps"][0]["gap"] > 0
