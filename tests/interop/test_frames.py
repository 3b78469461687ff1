"""pandas and polars in and out: frames, columns by name, and set_output."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fairsk
from tests.estimators import ALL, NETWORKS, REWEIGHTERS, TRANSFORMERS
from tests.interop._fitted import EVERY, fitted, make_data, predictions

WITH_TRANSFORM = TRANSFORMERS | {
    name: make for name, make in NETWORKS.items() if hasattr(make(), "transform")
}
CLASSIFIERS = {**ALL, **REWEIGHTERS, **NETWORKS}
LIBRARIES = {"pandas": pd, "polars": pl}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def as_frame(library, X, **more):
    columns = {"u": X[:, 0], "v": X[:, 1], "w": X[:, 2], **more}
    return LIBRARIES[library].DataFrame(columns)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_frames_in_give_what_arrays_give(name, library):
    X, y, groups = make_data()
    library_of = LIBRARIES[library]
    frame = as_frame(library, X)
    model = CLASSIFIERS[name]().fit(
        frame,
        library_of.Series(y),
        sensitive_features=library_of.Series("group", groups)
        if library == "polars"
        else pd.Series(groups, name="group"),
    )
    assert list(model.feature_names_in_) == ["u", "v", "w"]
    known = {"sensitive_features": groups} if name == "aware post-processor" else {}
    expected = predictions(name, fitted(name))["predict"]
    np.testing.assert_array_equal(model.predict(frame, **known), expected)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_columns_by_name_behind_transformers_that_give_frames(name, library):
    X, y, groups = make_data()
    frame = as_frame(library, X, group=(groups == groups[0]).astype(int))
    scaled = ColumnTransformer(
        [("scale", StandardScaler(), ["u", "v", "w"]), ("keep", "passthrough", ["group"])],
        verbose_feature_names_out=False,
    ).set_output(transform=library)
    model = make_pipeline(scaled, CLASSIFIERS[name](sensitive_columns=["group"])).fit(frame, y)
    predicted = model.predict(frame)
    by_hand = CLASSIFIERS[name](sensitive_columns=[3]).fit(
        np.column_stack([StandardScaler().fit_transform(X), frame["group"].to_numpy()]), y
    )
    inputs = np.column_stack([StandardScaler().fit_transform(X), frame["group"].to_numpy()])
    np.testing.assert_array_equal(predicted, by_hand.predict(inputs))


def test_every_public_transformer_is_in_the_list():
    public = [getattr(fairsk, name) for name in fairsk.__all__]
    rooms = [value for value in public if inspect.ismodule(value)]
    classes = {value for value in public if inspect.isclass(value)}
    for room in rooms:
        module = importlib.import_module(room.__name__)
        classes |= {
            value for name in module.__all__ if inspect.isclass(value := getattr(module, name))
        }
    transformers = {c for c in classes if hasattr(c, "transform") and hasattr(c, "set_output")}
    listed = {type(make()) for make in WITH_TRANSFORM.values()}
    assert transformers == listed, "tests.estimators.TRANSFORMERS is not up to date"


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", WITH_TRANSFORM)
def test_transformers_give_frames(name, library):
    X, y, groups = make_data()
    model = WITH_TRANSFORM[name]().fit(X, y, sensitive_features=groups)
    plain = model.transform(X)
    frame = model.set_output(transform=library).transform(X)
    assert isinstance(frame, LIBRARIES[library].DataFrame)
    assert list(frame.columns) == list(model.get_feature_names_out())
    np.testing.assert_array_equal(frame.to_numpy(), plain)


@pytest.mark.parametrize("name", EVERY)
def test_single_precision_stays_near(name):
    """Predictions for float32 rows: labels may differ only where the decision is a hair's width."""
    model = fitted(name)
    X, _, groups = make_data()
    known = {"sensitive_features": groups} if name == "aware post-processor" else {}
    wide, narrow = (model.predict(X.astype(t), **known) for t in (np.float64, np.float32))
    if wide.dtype.kind == "f":
        # Single precision has 7 digits, and the network sums tens of products.
        np.testing.assert_allclose(wide, narrow, rtol=1e-3, atol=1e-4)
    else:
        assert np.mean(wide != narrow) <= 0.01
