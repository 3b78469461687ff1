"""Fairness scorers and aware scorers, called directly and inside scikit-learn's tools."""

from __future__ import annotations

import pickle
from functools import partial

import fairlearn.metrics
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk.metrics import (
    get_fairness_scorer,
    list_fairness_scorers,
    make_aware_scorer,
    make_fairness_scorer,
)
from fairsk.notions import UndefinedFairnessWarning, list_notions

GRID = {"C": [0.01, 1.0]}


class AwareClassifier(ClassifierMixin, BaseEstimator):
    """Cuts the first column at its group's mean: it cannot predict without the groups."""

    __metadata_request__fit = {"sensitive_features": True}  # noqa: RUF012
    __metadata_request__predict = {"sensitive_features": True}  # noqa: RUF012
    __metadata_request__predict_proba = {"sensitive_features": True}  # noqa: RUF012

    def __init__(self, C=1.0, sensitive_columns=None):
        self.C = C
        self.sensitive_columns = sensitive_columns

    def fit(self, X, y, sensitive_features=None):
        X, groups = np.asarray(X, dtype=float), np.asarray(sensitive_features)
        self.classes_ = np.unique(y)
        self.cuts_ = {g: X[groups == g, 0].mean() * self.C for g in np.unique(groups)}
        return self

    def predict_proba(self, X, sensitive_features=None):
        if sensitive_features is None:
            raise ValueError("AwareClassifier needs sensitive_features to predict.")
        cuts = np.array([self.cuts_[g] for g in np.asarray(sensitive_features).ravel()])
        p = 1 / (1 + np.exp(cuts - np.asarray(X, dtype=float)[:, 0]))
        return np.column_stack([1 - p, p])

    def predict(self, X, sensitive_features=None):
        return self.classes_[self.predict_proba(X, sensitive_features).argmax(axis=1)]


@pytest.fixture
def data():
    """X (second column: the group), y, groups; group 1 is selected more often."""
    rng = np.random.default_rng(3)
    group = rng.integers(0, 2, 240)
    x = rng.normal(size=240) + group
    y = (x + rng.normal(size=240) > 0.5).astype(int)
    return np.column_stack([x, group]), y, group


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def naive_parity_difference(model, X, y, group):
    decision = model.predict(X)
    return max(abs(decision[group == g].mean() - decision.mean()) for g in np.unique(group))


def test_value_is_negated_difference_or_ratio(data):
    X, y, group = data
    model = LogisticRegression().fit(X, y)
    difference = make_fairness_scorer("demographic_parity")
    assert difference(model, X, y, sensitive_features=group) == pytest.approx(
        -naive_parity_difference(model, X, y, group), abs=1e-12
    )
    ratio = make_fairness_scorer("demographic_parity", measure="ratio", contrast="groups")
    assert ratio(model, X, y, sensitive_features=group) == pytest.approx(
        fairlearn.metrics.demographic_parity_ratio(y, model.predict(X), sensitive_features=group)
    )


def test_soft_decisions_are_the_positive_class_probability(data):
    X, y, group = data
    model = LogisticRegression().fit(X, np.where(y == 1, "yes", "zno"))
    p = model.predict_proba(X)[:, 0]
    scorer = make_fairness_scorer(
        "demographic_parity", response_method="predict_proba", pos_label="yes"
    )
    expected = max(abs(p[group == g].mean() - p.mean()) for g in (0, 1))
    labels = np.where(y == 1, "yes", "zno")
    assert scorer(model, X, labels, sensitive_features=group) == pytest.approx(-expected)


def test_string_labels_and_one_class_in_the_fold(data):
    X, y, group = data
    labels = np.where(y == 1, "yes", "no")
    model = LogisticRegression().fit(X, labels)
    part = np.flatnonzero(labels == "no")
    scorer = make_fairness_scorer("demographic_parity")
    value = scorer(model, X[part], labels[part], sensitive_features=group[part])
    decision = model.predict(X[part]) == "yes"
    rates = [decision[group[part] == g].mean() for g in (0, 1)]
    assert value == pytest.approx(-max(abs(np.array(rates) - decision.mean())))


def test_sample_weight_counts_rows(data):
    X, y, group = data
    model = LogisticRegression().fit(X, y)
    twice = np.repeat(np.arange(240), np.arange(240) % 3)
    scorer = make_fairness_scorer("equalized_odds")
    weighted = scorer(model, X, y, sensitive_features=group, sample_weight=np.arange(240) % 3)
    repeated = scorer(model, X[twice], y[twice], sensitive_features=group[twice])
    assert weighted == pytest.approx(repeated)


def test_several_tasks_are_joined(data):
    X, y, group = data
    Y = np.column_stack([y, 1 - y])
    Y[::2, 1] = 0
    model = MultiOutputClassifier(LogisticRegression()).fit(X, Y)
    value = make_fairness_scorer("overall_equal_opportunity")(model, X, Y, sensitive_features=group)
    decision, negative = model.predict(X).max(axis=1), Y.max(axis=1) == 0
    rates = [decision[negative & (group == g)].mean() for g in (0, 1)]
    assert value == pytest.approx(-max(abs(np.array(rates) - decision[negative].mean())))
    with pytest.raises(ValueError, match="overall_equal_opportunity"):
        make_fairness_scorer("equal_opportunity")(model, X, Y, sensitive_features=group)


@pytest.mark.parametrize("kind", ["pandas", "polars", "array", "list"])
def test_groups_read_from_columns_of_X(data, kind):
    X, y, group = data
    model = LogisticRegression().fit(X, y)
    expected = make_fairness_scorer("equalized_odds")(model, X, y, sensitive_features=group)
    make = {
        "pandas": lambda: pd.DataFrame(X, columns=["x", "sex"]),
        "polars": lambda: pl.DataFrame(X, schema=["x", "sex"]),
        "array": lambda: X,
        "list": lambda: X.tolist(),
    }[kind]
    named = kind in ("pandas", "polars")
    model = LogisticRegression().fit(make(), y)
    for columns in [["sex"], [1], [-1]] if named else [[1], [-1]]:
        scorer = make_fairness_scorer("equalized_odds", sensitive_columns=columns)
        assert scorer(model, make(), y) == pytest.approx(expected)
    missing = "race" if named else 7
    message = f"sensitive_columns has {missing!r}, (but X has 2|which is not a)"
    with pytest.raises(ValueError, match=message):
        make_fairness_scorer("equalized_odds", sensitive_columns=[missing])(model, make(), y)


@pytest.mark.parametrize(
    "metric",
    [
        fairlearn.metrics.demographic_parity_difference,
        partial(fairlearn.metrics.demographic_parity_difference, method="between_groups"),
    ],
    ids=["function", "partial without a name"],
)
@pytest.mark.usefixtures("routing")
def test_metric_of_another_library_in_a_scoring_dict(data, metric):
    X, y, group = data
    ours = make_fairness_scorer("demographic_parity", contrast="groups")
    theirs = make_fairness_scorer(metric, greater_is_better=False)
    scores = cross_validate(
        LogisticRegression(),
        X,
        y,
        scoring={"ours": ours, "theirs": theirs},
        params={"sensitive_features": group},
        cv=3,
    )
    np.testing.assert_allclose(scores["test_ours"], scores["test_theirs"], atol=1e-12)
    assert "demographic_parity_difference" in repr(theirs)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV])
def test_searches_route_without_any_set_request(data, search, as_dict):
    X, y, group = data
    scorer = make_fairness_scorer("demographic_parity")
    scoring = {"accuracy": "accuracy", "violation": scorer} if as_dict else scorer
    options = {"n_iter": 2, "random_state": 0} if search is RandomizedSearchCV else {}
    fitted = search(
        LogisticRegression(),
        GRID,
        scoring=scoring,
        refit="violation" if as_dict else True,
        cv=3,
        error_score="raise",
        **options,
    ).fit(X, y, sensitive_features=group)
    key = "mean_test_violation" if as_dict else "mean_test_score"
    assert fitted.best_score_ == fitted.cv_results_[key].max() <= 0
    assert fitted.score(X, y, sensitive_features=group) == scorer(
        fitted, X, y, sensitive_features=group
    )


def curve_tools(scorer, estimator, X, y, params):
    """Each tool's scores; raises if a scorer fails."""
    common = {"cv": 3, "scoring": scorer, "params": params}
    _, train, test = learning_curve(
        estimator, X, y, train_sizes=[0.5, 1.0], error_score="raise", **common
    )
    yield np.concatenate([train, test])
    name = "C" if "C" in estimator.get_params() else list(estimator.named_steps)[-1] + "__C"
    yield np.concatenate(
        validation_curve(
            estimator,
            X,
            y,
            param_name=name,
            param_range=[0.1, 1.0],
            error_score="raise",
            **common,
        )
    )
    yield permutation_test_score(estimator, X, y, n_permutations=3, random_state=0, **common)[1]
    yield cross_validate(estimator, X, y, error_score="raise", **common)["test_score"]


AWARE = [AwareClassifier(), make_pipeline(StandardScaler(), AwareClassifier())]


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), *AWARE], ids=["blind", "aware", "pipe"]
)
@pytest.mark.parametrize("make", [make_fairness_scorer, make_aware_scorer])
def test_every_tool_by_metadata(data, estimator, make):
    X, y, group = data
    scorer = make("equalized_odds") if make is make_fairness_scorer else make("accuracy")
    # Series on both sides: permutation_test_score shuffles y's index, which is no mismatch.
    frame, labels = pd.DataFrame(X, columns=["x", "sex"]), pd.Series(y)
    for scores in curve_tools(scorer, estimator, frame, labels, {"sensitive_features": group}):
        assert np.isfinite(scores).all()
        assert np.ptp(scores) > 0


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_tool_by_columns_with_routing_off(data, n_jobs):
    X, y, _ = data
    scorer = make_fairness_scorer("equalized_odds", sensitive_columns=[1])
    for scores in curve_tools(scorer, LogisticRegression(), X, y, None):
        assert np.isfinite(scores).all()
    search = GridSearchCV(
        LogisticRegression(),
        GRID,
        scoring={"accuracy": "accuracy", "violation": scorer},
        refit="accuracy",
        cv=3,
        n_jobs=n_jobs,
        error_score="raise",
    ).fit(X, y, sample_weight=np.ones(len(y)))
    assert np.isfinite(search.cv_results_["mean_test_violation"]).all()
    importance = permutation_importance(search, X, y, scoring=scorer, n_repeats=2, random_state=0)
    assert np.isfinite(importance.importances).all()


@pytest.mark.usefixtures("routing")
def test_n_jobs_2_with_routing(data):
    X, y, group = data
    search = GridSearchCV(
        AwareClassifier(),
        GRID,
        scoring={"accuracy": make_aware_scorer(), "v": make_fairness_scorer("equalized_odds")},
        refit="accuracy",
        n_jobs=2,
        cv=3,
        error_score="raise",
    ).fit(X, y, sensitive_features=group)
    assert np.isfinite(search.cv_results_["mean_test_v"]).all()


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("estimator", AWARE, ids=["plain", "pipeline"])
@pytest.mark.parametrize("name", ["accuracy", "roc_auc", "balanced_accuracy", "f1", "neg_log_loss"])
def test_aware_scorer_agrees_with_scoring_by_hand(data, estimator, name):
    X, y, group = data
    fitted = clone(estimator).fit(X, y, sensitive_features=group)
    proba = fitted.predict_proba(X, sensitive_features=group)
    scorer, metric = make_aware_scorer(name), get_scorer(name)
    given = {"roc_auc": proba[:, 1], "neg_log_loss": proba}.get(name, proba.argmax(axis=1))
    expected = metric._sign * metric._score_func(y, given, **metric._kwargs)
    assert scorer(fitted, X, y, sensitive_features=group) == pytest.approx(expected)


@pytest.mark.usefixtures("routing")
def test_wrappers_whose_predict_takes_no_metadata(data):
    X, y, group = data
    search = GridSearchCV(AwareClassifier(), GRID, scoring=make_aware_scorer(), cv=3)
    search.fit(X, y, sensitive_features=group)
    decision = search.best_estimator_.predict(X, sensitive_features=group)
    for wrapper in (search, FrozenEstimator(search.best_estimator_)):
        value = make_aware_scorer(accuracy_score)(wrapper, X, y, sensitive_features=group)
        assert value == pytest.approx((decision == y).mean())


@pytest.mark.usefixtures("routing")
def test_nested_search(data):
    X, y, group = data
    search = GridSearchCV(
        AwareClassifier(), GRID, scoring=make_aware_scorer(), cv=2, error_score="raise"
    )
    scores = cross_validate(
        search,
        X,
        y,
        scoring={"a": make_aware_scorer(), "v": make_fairness_scorer("equalized_odds")},
        params={"sensitive_features": group},
        cv=2,
        error_score="raise",
    )
    assert np.isfinite(scores["test_a"]).all()
    assert np.isfinite(scores["test_v"]).all()


@pytest.mark.usefixtures("routing")
def test_request_can_be_renamed_refused_and_weighted(data):
    X, y, group = data
    scorer = make_fairness_scorer("demographic_parity").set_score_request(
        sensitive_features="race", sample_weight=False
    )
    expected = make_fairness_scorer("demographic_parity", sensitive_columns=[1])
    common = {"cv": 3, "error_score": "raise"}
    renamed = cross_validate(
        LogisticRegression(), X, y, scoring=scorer, params={"race": group}, **common
    )
    by_column = cross_validate(LogisticRegression(), X, y, scoring=expected, **common)
    np.testing.assert_array_equal(renamed["test_score"], by_column["test_score"])
    # A pipeline whose last step renames the same metadata is called by that name.
    aware = AwareClassifier().set_fit_request(sensitive_features="race")
    aware.set_predict_request(sensitive_features="race")
    for estimator in (aware, make_pipeline(StandardScaler(), aware)):
        scores = cross_validate(estimator, X, y, scoring=scorer, params={"race": group}, **common)
        assert np.isfinite(scores["test_score"]).all()
    with pytest.raises(TypeError, match="requests"):
        scorer.set_score_request(groups=True)


def test_set_score_request_needs_routing():
    with pytest.raises(RuntimeError, match="enable_metadata_routing"):
        make_fairness_scorer("demographic_parity").set_score_request(sample_weight=True)


def test_columns_are_handed_on_unless_the_estimator_reads_its_own(data):
    X, y, group = data
    fitted = AwareClassifier().fit(X, y, sensitive_features=group)
    decision = fitted.predict(X, group)
    scorer = make_aware_scorer(sensitive_columns=[1])
    assert scorer(fitted, X, y) == pytest.approx((decision == y).mean())
    with pytest.raises(ValueError, match="AwareClassifier needs"):
        scorer(fitted.set_params(sensitive_columns=[1]), X, y)


@pytest.mark.usefixtures("routing")
def test_threshold_tuning_accepts_a_fairness_scorer(data):
    X, y, group = data
    tuned = TunedThresholdClassifierCV(
        LogisticRegression(),
        scoring=make_fairness_scorer("equalized_odds"),
        thresholds=np.array([0.3, 0.5, 0.7]),
        cv=3,
    ).fit(X, y, sensitive_features=group)
    assert tuned.best_score_ <= 0


def test_no_groups_is_explained(data):
    X, y, group = data
    scorer = make_fairness_scorer("demographic_parity")
    with pytest.raises(ValueError, match=r"sensitive_columns=\[\.\.\.\].*enable_metadata_routing"):
        scorer(LogisticRegression().fit(X, y), X, y)
    own = AwareClassifier(sensitive_columns=["sex"]).fit(X, y, group)
    for estimator in (own, make_pipeline(StandardScaler(), own)):
        with pytest.raises(ValueError, match=r"to the scorer too.*sensitive_columns=\['sex'\]"):
            scorer(estimator, X, y)


def test_undefined_values(data):
    X, y, group = data
    model = LogisticRegression().fit(X, y)
    part = (group == 0) | (y == 1)
    args = (model, X[part], y[part])
    with pytest.warns(UndefinedFairnessWarning, match="false_positive_rate of group 1"):
        value = make_fairness_scorer("equalized_odds")(*args, sensitive_features=group[part])
    assert np.isnan(value)
    with pytest.raises(ValueError, match="false_positive_rate of group 1"):
        make_fairness_scorer("equalized_odds", empty="raise")(*args, sensitive_features=group[part])
    # One group always equals the population: 0 would be praise for lack of evidence.
    with pytest.warns(UndefinedFairnessWarning, match="no two groups to compare"):
        value = make_fairness_scorer("equalized_odds")(
            model, X, y, sensitive_features=np.zeros(240)
        )
    assert np.isnan(value)


def test_bad_calls(data):
    X, y, group = data
    model = LogisticRegression().fit(X, y)
    scorer = make_fairness_scorer("demographic_parity")
    with pytest.raises(ValueError, match="240 rows but sensitive_features has 5"):
        scorer(model, X, y, sensitive_features=group[:5])
    shuffled = pd.Series(group, index=np.arange(240)[::-1])
    with pytest.raises(ValueError, match="pandas indices"):
        scorer(model, pd.DataFrame(X), y, sensitive_features=shuffled)
    three = LogisticRegression().fit(X, np.arange(240) % 3)
    with pytest.raises(ValueError, match=r"3 classes.*pos_label"):
        scorer(three, X, np.arange(240) % 3, sensitive_features=group)
    one_vs_rest = make_fairness_scorer("demographic_parity", pos_label=2)
    assert one_vs_rest(three, X, np.arange(240) % 3, sensitive_features=group) <= 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"notion_or_metric": "parity"}, "notion must be one of"),
        ({"measure": "distance"}, "measure must be one of"),
        ({"contrast": "pairs"}, "contrast must be one of"),
        ({"groups": "both"}, "groups must be one of"),
        ({"empty": "zero"}, "empty must be one of"),
        ({"response_method": "decision_function"}, "response_method must be"),
        ({"greater_is_better": True}, "contradicts measure='difference'"),
        ({"notion_or_metric": accuracy_score}, "greater_is_better=True"),
        ({"notion_or_metric": 3, "greater_is_better": True}, "is no notion"),
    ],
)
def test_bad_options(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_fairness_scorer(**{"notion_or_metric": "demographic_parity", **arguments})


def test_other_bad_options():
    with pytest.raises(TypeError, match="must be a list"):
        make_fairness_scorer("demographic_parity", sensitive_columns="sex")
    with pytest.raises(ValueError, match="finished scorer"):
        make_aware_scorer("roc_auc", response_method="predict_proba")
    with pytest.raises(ValueError, match="is not one of"):
        get_fairness_scorer("demographic_parity_difference")


@pytest.mark.parametrize("name", list_fairness_scorers())
def test_ready_made_names(data, name):
    X, y, _ = data
    scorer = get_fairness_scorer(name, sensitive_columns=[1])
    value = scorer(LogisticRegression().fit(X, y), X, y)
    assert -1 <= value <= 0 if name.startswith("neg_") else 0 <= value <= 1
    assert len(list_fairness_scorers()) == 2 * len(list_notions())


@pytest.mark.parametrize(
    "scorer",
    [
        make_fairness_scorer("equalized_odds", measure="ratio", sensitive_columns=[1]),
        make_aware_scorer("roc_auc", sensitive_columns=[1]),
        make_aware_scorer(accuracy_score, sensitive_columns=[1]),
    ],
)
def test_pickle_clone_repr(data, scorer):
    X, y, _ = data
    model = LogisticRegression().fit(X, y)
    for copy in (pickle.loads(pickle.dumps(scorer)), clone(scorer)):
        assert copy(model, X, y) == scorer(model, X, y)
        assert repr(copy) == repr(scorer)
    assert "sensitive_columns=[1]" in repr(scorer)
    assert make_aware_scorer(scorer) is scorer
    searched = clone(GridSearchCV(LogisticRegression(), GRID, scoring={"s": scorer}, refit="s"))
    assert searched.scoring["s"] is not scorer
