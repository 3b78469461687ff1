"""Every scikit-learn tool of the contract works with every estimator, through a channel each.

Channel "metadata" needs metadata routing; channel "columns" reads the groups from X and has to
work with routing on and off.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import RocCurveDisplay, accuracy_score, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk.datasets import make_biased_classification
from fairsk.metrics import make_aware_scorer, make_fairness_scorer
from fairsk.model_selection import best_within_tolerance
from tests.estimators import ALL as RULES
from tests.estimators import AWARE, GRIDS, NETWORKS, REWEIGHTERS, WRAPPERS
from tests.estimators import BLIND as BLIND_RULES

pandas = pytest.importorskip("pandas", reason="the column channel is shown on pandas frames")

pytestmark = [
    # A tolerance may be out of reach of the cost-sensitive model on data this small.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
ROUTING = pytest.mark.parametrize("routing", [True, False], ids=["routing", "no-routing"])
META = RULES | REWEIGHTERS | WRAPPERS
ALL = META | NETWORKS
BLIND = BLIND_RULES | REWEIGHTERS | WRAPPERS | NETWORKS
EVERY = pytest.mark.parametrize("name", ALL)
# Those that wrap an estimator of the user's.
EVERY_META = pytest.mark.parametrize("name", META)


@pytest.fixture(scope="module")
def data():
    X, y, groups = make_biased_classification(240, n_groups=2, n_features=3, random_state=0)
    frame = pandas.DataFrame(X, columns=["u", "v", "w"])
    with_groups = frame.assign(group=np.asarray(groups).ravel())
    return frame, with_groups, y, np.asarray(groups).ravel()


def with_columns(name, **parameters):
    return ALL[name](sensitive_columns=["group"], **parameters)


def fairness_scoring(**where):
    return {
        "accuracy": make_aware_scorer("accuracy"),
        "parity": make_fairness_scorer("demographic_parity", **where),
    }


def check_accuracy(y, predicted):
    """Above chance by three standard errors, on data with a strong signal."""
    assert accuracy_score(y, predicted) > 0.5 + 3 * 0.5 / np.sqrt(len(y))


# ------------------------------------------------------------------ pipelines


@EVERY
def test_pipeline_by_metadata(name, data):
    X, _, y, groups = data
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), ALL[name]())
        pipeline.fit(X, y, sensitive_features=groups)
        given = {"sensitive_features": groups} if name in AWARE else {}
        check_accuracy(y, pipeline.predict(X, **given))
        assert 0.5 < pipeline.score(X, y, sensitive_features=groups) <= 1


@EVERY_META
@ROUTING
def test_pipeline_inside_and_outside_by_columns(name, routing, data):
    _, X, y, _ = data
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    # The aware model sees the group column too, so it has to be encoded inside.
    columns = ["u", "v", "w"]
    inside = Pipeline([("pick", ColumnTransformer([("z", inner[0], columns)])), ("lr", inner[1])])
    keep = ColumnTransformer(
        [("z", StandardScaler(), columns)], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    with config_context(enable_metadata_routing=routing):
        model = make_pipeline(keep, with_columns(name, estimator=inside))
        check_accuracy(y, model.fit(X, y).predict(X))


@ROUTING
def test_renamed_column_is_named_in_the_error(routing, data):
    _, X, y, _ = data
    renames = ColumnTransformer(
        [("z", StandardScaler(), ["u", "v", "w"])], remainder="passthrough"
    ).set_output(transform="pandas")
    with config_context(enable_metadata_routing=routing):
        model = make_pipeline(renames, with_columns("post-processor"))
        with pytest.raises(ValueError, match="Did you mean \\['remainder__group'\\]"):
            model.fit(X, y)


# ------------------------------------------------------------------- searches


@EVERY
@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_search_by_metadata(name, search, data):
    X, _, y, groups = data
    grid = GRIDS[name]
    with config_context(enable_metadata_routing=True):
        if search is GridSearchCV:
            refit = best_within_tolerance(0.5, objective="accuracy", violation="parity")
            found = search(ALL[name](), grid, scoring=fairness_scoring(), refit=refit, cv=2)
        else:
            scorer = make_fairness_scorer("demographic_parity")
            found = search(ALL[name](), grid, scoring=scorer, cv=2, random_state=0)
        found.fit(X, y, sensitive_features=groups)
        scores = [v for k, v in found.cv_results_.items() if k.startswith("mean_test")]
        assert np.isfinite(scores).all()
        assert found.best_params_ in [{key: v} for key, values in grid.items() for v in values]


@EVERY
@ROUTING
@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_search_by_columns(name, routing, search, data):
    _, X, y, _ = data
    model = make_pipeline(with_columns(name, drop_sensitive_columns=True))
    step = model.steps[0][0]
    scorer = make_fairness_scorer("demographic_parity", sensitive_columns=["group"])
    extra = {"random_state": 0} if search is HalvingGridSearchCV else {}
    grid = {f"{step}__{key}": values for key, values in GRIDS[name].items()}
    with config_context(enable_metadata_routing=routing):
        found = search(model, grid, scoring=scorer, cv=2, **extra)
        found.fit(X, y)
        assert np.isfinite(found.cv_results_["mean_test_score"]).all()
        check_accuracy(y, found.predict(X))


@EVERY
def test_nested_cross_validation_by_metadata(name, data):
    X, _, y, groups = data
    with config_context(enable_metadata_routing=True):
        refit = best_within_tolerance(0.5, objective="accuracy", violation="parity")
        search = GridSearchCV(
            ALL[name](), GRIDS[name], scoring=fairness_scoring(), refit=refit, cv=2
        )
        result = cross_validate(
            search,
            X,
            y,
            cv=2,
            params={"sensitive_features": groups},
            scoring=make_fairness_scorer("demographic_parity"),
            error_score="raise",
        )
    # GridSearchCV.predict takes no metadata: an aware model inside has to say so, not score NaN.
    assert np.isfinite(result["test_score"]).all()


# ----------------------------------------------------------------- validation


@EVERY
def test_validation_by_metadata(name, data):
    X, _, y, groups = data
    params = {"sensitive_features": groups}
    with config_context(enable_metadata_routing=True):
        scoring = fairness_scoring()
        result = cross_validate(ALL[name](), X, y, cv=2, params=params, scoring=scoring)
        assert np.isfinite([result["test_accuracy"], result["test_parity"]]).all()
        _, _, scores = learning_curve(
            ALL[name](),
            X,
            y,
            cv=2,
            train_sizes=[0.6, 1.0],
            params=params,
            scoring=scoring["parity"],
            shuffle=True,
            random_state=0,
        )
        assert np.isfinite(scores).all()
        score, null, _ = permutation_test_score(
            ALL[name](), X, y, cv=2, n_permutations=2, params=params, scoring=scoring["accuracy"]
        )
        assert score > null.mean()


@EVERY
@ROUTING
def test_validation_by_columns(name, routing, data):
    _, X, y, _ = data
    model = with_columns(name, drop_sensitive_columns=True)
    scoring = fairness_scoring(sensitive_columns=["group"])
    with config_context(enable_metadata_routing=routing):
        result = cross_validate(model, X, y, cv=2, scoring=scoring)
        assert np.isfinite([result["test_accuracy"], result["test_parity"]]).all()
        check_accuracy(y, cross_val_predict(model, X, y, cv=2))
        assert cross_val_predict(model, X, y, cv=2, method="predict_proba").shape == (len(y), 2)
        _, _, scores = learning_curve(
            model,
            X,
            y,
            cv=2,
            train_sizes=[0.6, 1.0],
            scoring="accuracy",
            shuffle=True,
            random_state=0,
        )
        assert np.isfinite(scores).all()
        score, null, _ = permutation_test_score(model, X, y, cv=2, n_permutations=2)
        assert score > null.mean()
        model = clone(model).fit(X, y)
        importance = permutation_importance(model, X, y, n_repeats=2, random_state=0)
        assert importance.importances_mean.max() > 0


@pytest.mark.parametrize("name", BLIND)
def test_cross_val_predict_by_metadata(name, data):
    X, _, y, groups = data
    with config_context(enable_metadata_routing=True):
        predicted = cross_val_predict(
            ALL[name](), X, y, cv=2, params={"sensitive_features": groups}
        )
    check_accuracy(y, predicted)


# ------------------------------------------------------------ meta-estimators


def wrappers(model):
    other = make_pipeline(
        ColumnTransformer([("z", StandardScaler(), ["u", "v", "w"])]), LogisticRegression()
    )
    return {
        "calibrated": CalibratedClassifierCV(model, cv=2),
        "tuned": TunedThresholdClassifierCV(model, cv=2, thresholds=5),
        "voting": VotingClassifier([("fair", model), ("plain", other)], voting="soft"),
        "stacking": StackingClassifier([("fair", model), ("plain", other)], cv=2),
        "bagging": BaggingClassifier(model, n_estimators=2, random_state=0),
    }


@EVERY
@ROUTING
@pytest.mark.parametrize("wrapper", ["calibrated", "tuned", "voting", "stacking", "bagging"])
def test_wrapped_by_columns(name, routing, wrapper, data):
    _, X, y, _ = data
    # Bagging turns frames into arrays: positions instead of names.
    position = ALL[name](sensitive_columns=[3], drop_sensitive_columns=True)
    if wrapper == "bagging":
        X = X.assign(group=(X["group"] == X["group"].iloc[0]).astype(float))
    with config_context(enable_metadata_routing=routing):
        model = wrappers(position)[wrapper].fit(X, y)
        check_accuracy(y, model.predict(X))
        assert model.predict_proba(X).shape == (len(y), 2)


@pytest.mark.parametrize("name", BLIND)
@pytest.mark.parametrize("wrapper", ["calibrated", "tuned", "bagging"])
def test_wrapped_by_metadata(name, wrapper, data):
    X, _, y, groups = data
    with config_context(enable_metadata_routing=True):
        model = wrappers(ALL[name]())[wrapper]
        model.fit(X, y, sensitive_features=groups)
        check_accuracy(y, model.predict(X))


@EVERY
def test_roc_curve_display_by_columns(name, data):
    matplotlib = pytest.importorskip("matplotlib", reason="RocCurveDisplay draws")
    matplotlib.use("Agg")
    _, X, y, _ = data
    model = with_columns(name, drop_sensitive_columns=True).fit(X, y)
    display = RocCurveDisplay.from_estimator(model, X, y)
    expected = roc_auc_score(y, model.predict_proba(X)[:, 1])
    # predict_proba clips at 0 and 1, where decision_function still ranks.
    assert display.roc_auc == pytest.approx(expected, abs=0.02)
    from matplotlib import pyplot

    pyplot.close("all")


@EVERY
def test_set_output_of_the_steps_before(name, data):
    _, X, y, _ = data
    scale = ColumnTransformer(
        [("z", StandardScaler(), ["u", "v", "w"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    polars = pytest.importorskip("polars")
    for container, frame in (("pandas", X), ("polars", polars.DataFrame(X.to_dict("list")))):
        steps = clone(scale).set_output(transform=container)
        model = make_pipeline(steps, with_columns(name, drop_sensitive_columns=True))
        check_accuracy(y, model.fit(frame, y).predict(frame))
