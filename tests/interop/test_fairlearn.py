"""fairlearn's tools take our metrics, and our tools take fairlearn's metrics and estimators."""

from __future__ import annotations

import warnings

import fairlearn.metrics as fm
import numpy as np
import pytest
from fairlearn import postprocessing, reductions
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from fairsk import (
    BayesOptimalFairPostProcessor,
    fairness_report,
    fairness_violation,
    generalization_report,
    gerrymandering_audit,
    group_auc_gap,
    make_aware_scorer,
    make_fairness_scorer,
)
from fairsk import metrics as ours
from fairsk.datasets import load_compas

DISPARITIES = [
    "accuracy_difference",
    "average_odds_difference",
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "deo",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "group_auc_gap",
    "mean_difference",
    "mean_ratio",
]


@pytest.fixture(scope="module")
def data():
    X, y, A = load_compas(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X[::3], y[::3], A[::3]


@pytest.fixture(scope="module")
def predicted(data):
    X, y, _ = data
    return LogisticRegression().fit(X, y).predict(X)


# ------------------------------------------------------------------ ours in theirs


@pytest.mark.parametrize("name", DISPARITIES)
def test_a_metric_frame_computes_our_disparity_within_each_group(data, predicted, name):
    """The disparity by sex within each race: sensitive features as a parameter of each row."""
    _, y, A = data
    metric = getattr(ours, name)
    frame = fm.MetricFrame(
        metrics=metric,
        y_true=y,
        y_pred=predicted,
        sensitive_features=A[:, 0].astype(str),
        sample_params={"sensitive_features": A[:, 1].astype(str)},
    )
    assert frame.overall == pytest.approx(metric(y, predicted, sensitive_features=A[:, 1]))
    for race, value in frame.by_group.items():
        rows = A[:, 0] == race
        expected = metric(y[rows], predicted[rows], sensitive_features=A[rows, 1])
        assert value == pytest.approx(expected)


def test_several_of_our_metrics_with_weights_and_control_features(data, predicted):
    _, y, A = data
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    params = {"sensitive_features": A[:, 1].astype(str), "sample_weight": weight}
    metrics = {name: getattr(ours, name) for name in DISPARITIES}
    frame = fm.MetricFrame(
        metrics=metrics,
        y_true=y,
        y_pred=predicted,
        sensitive_features=np.arange(len(y)) % 2,
        control_features=A[:, 0].astype(str),
        sample_params=dict.fromkeys(metrics, params),
    )
    rows = (A[:, 0] == "Caucasian") & (np.arange(len(y)) % 2 == 1)
    expected = fairness_violation(
        y[rows],
        predicted[rows],
        sensitive_features=A[rows, 1],
        notion="demographic_parity",
        contrast="groups",
        sample_weight=weight[rows],
    )
    found = frame.by_group["demographic_parity_difference"]["Caucasian"][1]
    assert found == pytest.approx(expected)
    assert frame.difference().notna().all(axis=None)


def test_our_group_rates_are_a_metric_frames(data, predicted):
    _, y, A = data
    report = fairness_report(predicted, y=y, sensitive_features=A[:, 0], n_resamples=200)
    frame = fm.MetricFrame(
        metrics={
            "selection_rate": fm.selection_rate,
            "true_positive_rate": fm.true_positive_rate,
            "false_positive_rate": fm.false_positive_rate,
        },
        y_true=y,
        y_pred=predicted,
        sensitive_features=A[:, 0].astype(str),
    )
    for row in report.tables["rates"]:
        if row["rate"] in frame.by_group:
            assert row["value"] == pytest.approx(frame.by_group[row["rate"]][row["group"]])
    between = fairness_report(
        predicted, y=y, sensitive_features=A[:, 0], contrast="groups", n_resamples=200
    )
    assert between.violation("equalized_odds") == pytest.approx(
        fm.equalized_odds_difference(y, predicted, sensitive_features=A[:, 0])
    )


# ------------------------------------------------------------------ theirs in ours

DERIVED = fm.make_derived_metric(
    metric=fm.selection_rate, transform="difference", sample_param_names=["sample_weight"]
)


@pytest.mark.parametrize(
    "metric",
    [
        fm.demographic_parity_difference,
        fm.equalized_odds_difference,
        fm.equal_opportunity_difference,
        fm.true_positive_rate_difference,
        fm.accuracy_score_difference,
        DERIVED,
    ],
    ids=lambda metric: getattr(metric, "__name__", "derived"),
)
@pytest.mark.parametrize("routing", [True, False])
def test_a_search_scores_their_metrics(data, metric, routing):
    X, y, A = data
    male = (A[:, 1] == "Male").astype(float)
    options = {} if routing else {"sensitive_columns": [-1]}
    scorer = make_fairness_scorer(metric, greater_is_better=False, **options)
    inputs = X if routing else np.column_stack([X, male])
    params = {"params": {"sensitive_features": male}} if routing else {}
    with config_context(enable_metadata_routing=routing):
        found = cross_validate(
            LogisticRegression(), inputs, y, cv=2, scoring={"gap": scorer}, **params
        )["test_gap"]
    assert np.isfinite(found).all() and (found <= 0).all() and (found < -0.01).any()


def test_their_score_drives_a_search_of_ours(data):
    X, y, A = data
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            BayesOptimalFairPostProcessor(
                LogisticRegression(), attribute_aware=True, cv=2, random_state=0
            ),
            {"tolerance": [0.01, 0.5]},
            scoring=make_fairness_scorer(fm.demographic_parity_difference, greater_is_better=False),
            cv=2,
        ).fit(X, y, sensitive_features=A[:, 0])
    assert search.best_params_ == {"tolerance": 0.01}


@pytest.fixture(scope="module")
def peers(data):
    X, y, A = data
    with warnings.catch_warnings():
        # Their own use of pandas.
        warnings.simplefilter("ignore")
        thresholds = postprocessing.ThresholdOptimizer(
            estimator=LogisticRegression(), predict_method="predict_proba"
        ).fit(X, y, sensitive_features=A[:, 0])
        mixture = reductions.ExponentiatedGradient(
            LogisticRegression(), reductions.DemographicParity(), max_iter=5
        ).fit(X, y, sensitive_features=A[:, 0])
    return {"thresholds": thresholds, "mixture": mixture}


def test_our_scorers_hand_their_estimators_the_groups(data, peers):
    X, y, A = data
    scorer, accuracy = make_fairness_scorer("demographic_parity"), make_aware_scorer("accuracy")
    for model in peers.values():
        # Both draw labels at random; parity on 1,760 rows has a standard error of .02.
        assert -0.1 < scorer(model, X, y, sensitive_features=A[:, 0]) <= 0
        assert accuracy(model, X, y, sensitive_features=A[:, 0]) > 0.55


def test_our_reports_audit_their_estimators(data, peers):
    X, y, A = data
    plain = LogisticRegression().fit(X, y)
    report = fairness_report(
        {"plain": plain, **peers}, X, y, sensitive_features=A[:, 0], n_resamples=200
    )
    gaps = {m: report.violation("demographic_parity", model=m) for m in ("plain", *peers)}
    assert gaps["thresholds"] < gaps["plain"] and gaps["mixture"] < gaps["plain"]
    halves = [(X[at], y[at], A[at, 0]) for at in (slice(0, None, 2), slice(1, None, 2))]
    generalization_report(peers, halves[0], test=halves[1], n_resamples=200)
    audit = gerrymandering_audit(
        peers["thresholds"],
        X,
        y,
        baseline=plain,
        columns=A,
        prediction_features=A[:, 0],
        rate="selection_rate",
    )
    assert audit.settings["n_rose"] + audit.settings["n_fell"] > 0


def test_their_metric_of_rows_is_a_metric_by_group(data):
    X, y, A = data
    model = LogisticRegression().fit(X, y)
    halves = [(X[at], y[at], A[at, 0]) for at in (slice(0, None, 2), slice(1, None, 2))]
    report = generalization_report(
        model, halves[0], test=halves[1], metric=[fm.false_positive_rate, "false_positive_rate"]
    )
    called, named = (
        [row["value"] for row in report.tables["values"] if row["metric"] == metric][:4]
        for metric in (fm.false_positive_rate.__name__, "false_positive_rate")
    )
    assert called == pytest.approx(named)
    with pytest.raises(ValueError, match="compares groups by itself"):
        generalization_report(
            model, halves[0], test=halves[1], metric=fm.demographic_parity_difference
        )


def test_group_auc_gap_in_a_frame_takes_scores(data):
    X, y, A = data
    score = LogisticRegression().fit(X, y).decision_function(X)
    frame = fm.MetricFrame(
        metrics=group_auc_gap,
        y_true=y,
        y_pred=score,
        sensitive_features=A[:, 0].astype(str),
        sample_params={"sensitive_features": A[:, 1].astype(str)},
    )
    assert frame.by_group.between(0, 1).all()
