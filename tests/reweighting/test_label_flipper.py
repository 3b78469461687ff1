"""LabelFlipper and LabelFlippingClassifier: samplers in either library's pipelines."""

import pickle

import imblearn.pipeline as imblearn
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from fairsk import LabelFlipper, LabelFlippingClassifier
from fairsk.base import SensitiveFeaturesWarning


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = np.array(["no", "yes", "why"])[np.argmax(X + rng.normal(size=(400, 3)), axis=1)]
    return X, y, np.repeat(["f", "m"], 200)


def test_sampler(data):
    X, y, sex = data
    flipper = LabelFlipper(p={"m": 0.3}, random_state=0)
    same, flipped = flipper.fit_resample(X, y, sensitive_features=sex)
    assert same is X and flipped.dtype == y.dtype
    np.testing.assert_array_equal(np.flatnonzero(flipped != y), flipper.flipped_)
    assert len(flipper.flipped_) == 60 and set(sex[flipper.flipped_]) == {"m"}
    again = clone(flipper).fit(X, y, sensitive_features=sex).flipped_
    np.testing.assert_array_equal(again, flipper.flipped_)
    other = LabelFlipper(p={"m": 0.3}, random_state=1).fit(X, y, sensitive_features=sex).flipped_
    assert set(other) != set(again)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(flipper)).flipped_, again)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_frames(data, container):
    X, y, sex = data
    library = pytest.importorskip(container)
    frame = library.DataFrame({"a": X[:, 0], "sex": sex})
    target = library.Series(y)
    flipper = LabelFlipper(p=0.3, group="m", sensitive_columns=["sex"], random_state=0)
    same, flipped = flipper.fit_resample(frame, target)
    assert list(same.columns) == ["a", "sex"]
    expected = LabelFlipper(p={"m": 0.3}, random_state=0).fit_resample(
        X, y, sensitive_features=sex
    )[1]
    np.testing.assert_array_equal(np.asarray(flipped), expected)
    if container == "pandas":
        assert flipped.index.equals(target.index)
    dropped = flipper.set_params(drop_sensitive_columns=True).fit_resample(frame, target)[0]
    assert list(dropped.columns) == ["a"]


def test_imbalanced_learn_pipeline_by_metadata(data):
    X, y, sex = data
    flipper = LabelFlipper(p={"m": 1.0}, random_state=0)
    with config_context(enable_metadata_routing=True):
        model = imblearn.make_pipeline(StandardScaler(), flipper, LogisticRegression())
        model.fit(X, y, sensitive_features=sex)
        assert len(flipper.flipped_) == 200
        grid = {"labelflipper__p": [{"m": 0.0}, {"m": 1.0}]}
        search = GridSearchCV(model, grid, cv=3).fit(X, y, sensitive_features=sex)
    # A group whose every label is wrong is not what predicts best.
    assert search.best_params_ == {"labelflipper__p": {"m": 0.0}}
    by_hand = LogisticRegression().fit(
        StandardScaler().fit_transform(X), flipper.fit_resample(X, y, sensitive_features=sex)[1]
    )
    np.testing.assert_allclose(model[-1].coef_, by_hand.coef_)


def test_imbalanced_learn_pipeline_by_columns(data):
    X, y, sex = data
    X = np.column_stack([X, sex == "m"])
    flipper = LabelFlipper(p=1.0, group=1, sensitive_columns=[3], random_state=0)
    model = imblearn.make_pipeline(flipper, LogisticRegression()).fit(X, y)
    assert len(flipper.flipped_) == 200 and model.predict(X).shape == (400,)
    assert cross_val_score(model, X, y, cv=3).mean() < cross_val_score(model[1], X, y, cv=3).mean()


def test_classifier_is_the_sampler_and_a_classifier(data):
    X, y, sex = data
    model = LabelFlippingClassifier(p={"m": 0.3}, random_state=0)
    model.fit(X, y, sensitive_features=sex)
    flipped = LabelFlipper(p={"m": 0.3}, random_state=0).fit_resample(X, y, sensitive_features=sex)
    plain = LogisticRegression().fit(X, flipped[1])
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(model.decision_function(X), plain.decision_function(X))
    assert model.score(X, y) == plain.score(X, y)
    assert not hasattr(LabelFlippingClassifier(LinearSVC()), "predict_proba")


def test_classifier_in_a_pipeline_and_a_search(data):
    X, y, sex = data
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), LabelFlippingClassifier(group="m", random_state=0))
        grid = {"labelflippingclassifier__p": [0.0, 0.9]}
        search = GridSearchCV(model, grid, cv=3).fit(X, y, sensitive_features=sex)
    assert search.best_params_ == {"labelflippingclassifier__p": 0.0}


def test_rows_of_weight_zero_leave_no_trace(data):
    X, y, sex = data
    weight = np.ones(400)
    weight[250:] = 0
    model = LabelFlippingClassifier(p={"m": 0.3}, random_state=0)
    model.fit(X, y, sensitive_features=sex, sample_weight=weight)
    assert len(model.flipped_) == 15 and model.flipped_.max() < 250


def test_a_class_that_is_flipped_away_keeps_its_column():
    X, y = np.arange(12.0)[:, None], np.repeat(["a", "b", "c"], 4)
    group = np.where(y == "c", "x", "z")
    model = LabelFlippingClassifier(p={"x": 1.0}, random_state=0)
    model.fit(X, y, sensitive_features=group)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (12, 3) and (probabilities[:, 2] == 0).all()


@pytest.mark.parametrize("kind", [LabelFlipper, LabelFlippingClassifier])
def test_without_groups_nothing_is_flipped(kind, data):
    X, y, _ = data
    with pytest.warns(SensitiveFeaturesWarning) as caught:
        model = kind(p=0.5, random_state=0).fit(X, y)
    assert len(model.flipped_) == 0
    assert caught[0].filename == __file__


@pytest.mark.parametrize("kind", [LabelFlipper, LabelFlippingClassifier])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"p": 1.1}, "from 0 to 1"),
        ({"p": {"w": 0.1}}, "names the group 'w'"),
        ({"to": "same"}, "to must be one of"),
        ({"y": np.zeros(400)}, "one class only"),
        ({"y": np.linspace(0, 1, 400)}, "Unknown label type"),
        ({"sex": ["f"] * 3}, "400 rows"),
        ({"sex": np.linspace(0, 1, 400)}, "looks continuous"),
    ],
)
def test_errors_before_any_work(kind, changed, message, data):
    X, y, sex = data
    given = {"y": y, "sex": sex} | changed
    parameters = {key: value for key, value in changed.items() if key not in ("y", "sex")}
    with pytest.raises(ValueError, match=message):
        kind(**parameters).fit(X, given["y"], sensitive_features=given["sex"])
