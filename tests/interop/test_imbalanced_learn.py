"""Our estimators behind the samplers of imbalanced-learn, in its pipeline."""

from __future__ import annotations

import imblearn.over_sampling as over
import imblearn.under_sampling as under
import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import Pipeline
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

from fairsk.metrics import make_aware_scorer, make_fairness_scorer
from tests.estimators import ALL, GRIDS, NETWORKS, REWEIGHTERS
from tests.interop._fitted import make_data

CLASSIFIERS = {**ALL, **REWEIGHTERS, **NETWORKS}
# A tolerance may be out of reach of the cost-sensitive model on data this small.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def frame():
    X, y, groups = make_data()
    table = pd.DataFrame(X, columns=["u", "v", "w"]).assign(group=(groups == groups[0]) * 1)
    # One label is rare, so that the samplers have something to do.
    kept = np.flatnonzero((y == 0) | (np.arange(len(y)) % 3 == 0))
    return table.iloc[kept].reset_index(drop=True), y[kept]


def pipeline(name, sampler):
    return Pipeline(
        [("sampler", sampler), ("model", CLASSIFIERS[name](sensitive_columns=["group"]))]
    )


@pytest.mark.parametrize("routing", [True, False])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_groups_in_columns_are_sampled_with_the_rows(frame, name, routing):
    X, y = frame
    sampler = over.RandomOverSampler(random_state=0)
    with config_context(enable_metadata_routing=routing):
        model = pipeline(name, sampler).fit(X, y)
        predicted = model.predict(X)
    more_X, more_y = sampler.fit_resample(X, y)
    assert len(more_y) > len(y)
    direct = CLASSIFIERS[name](sensitive_columns=["group"]).fit(more_X, more_y)
    np.testing.assert_array_equal(predicted, direct.predict(X))


@pytest.mark.parametrize(
    "sampler",
    [
        under.RandomUnderSampler(random_state=0),
        over.SMOTENC(categorical_features=["group"], random_state=0, k_neighbors=3),
    ],
    ids=["under", "SMOTENC"],
)
def test_other_samplers(frame, sampler):
    """SMOTENC makes up rows but takes their group from a neighbour: no group between groups."""
    X, y = frame
    model = pipeline("post-processor", sampler).fit(X, y)
    assert set(model[-1].group_encoder_.families_[0].labels) == {"0", "1"}
    assert model.score(X, y) > 0.5


def test_a_search_over_both_steps(frame):
    X, y = frame
    name = "post-processor"
    grid = {f"model__{key}": values for key, values in GRIDS[name].items()}
    grid["sampler__sampling_strategy"] = [0.7, 1.0]
    search = GridSearchCV(
        pipeline(name, over.RandomOverSampler(random_state=0)),
        grid,
        cv=2,
        scoring={
            "accuracy": make_aware_scorer("accuracy"),
            "parity": make_fairness_scorer("demographic_parity", sensitive_columns=["group"]),
        },
        refit="accuracy",
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_parity"]).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_metadata_cannot_follow_a_sampler_and_the_error_says_what_can(frame, name):
    """A sampler hands on X and y alone, and the groups would be those of other rows."""
    X, y = frame
    model = Pipeline(
        [("sampler", over.RandomOverSampler(random_state=0)), ("model", CLASSIFIERS[name]())]
    )
    inputs = X.drop(columns="group")
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match="rows.*sampler.*sensitive_columns"),
    ):
        model.fit(inputs, y, sensitive_features=X["group"].to_numpy())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_metadata_is_routed_where_no_sampler_changes_the_rows(frame, name):
    X, y = frame
    model = Pipeline([("scaler", StandardScaler()), ("model", CLASSIFIERS[name]())])
    with config_context(enable_metadata_routing=True):
        scores = cross_validate(
            model,
            X.drop(columns="group").to_numpy(),
            y,
            cv=2,
            params={"sensitive_features": X["group"].to_numpy()},
            scoring={"accuracy": make_aware_scorer("accuracy")},
            error_score="raise",
        )
    assert (scores["test_accuracy"] > 0.5).all()
