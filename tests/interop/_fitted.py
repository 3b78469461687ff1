"""The estimators of the contract, fitted on the same rows, and how each predicts."""

from __future__ import annotations

import warnings

import numpy as np

from fairsk.datasets import make_biased_classification
from tests.estimators import (
    ALL,
    AWARE,
    NETWORKS,
    REGRESSORS,
    REWEIGHTERS,
    SAMPLERS,
    TRANSFORMERS,
    WRAPPERS,
)

EVERY = {**ALL, **REWEIGHTERS, **WRAPPERS, **NETWORKS, **REGRESSORS}
FITTED = {**EVERY, **TRANSFORMERS}
UNFITTED = {**FITTED, **SAMPLERS}


def make_data():
    X, y, groups = make_biased_classification(240, n_groups=2, n_features=3, random_state=0)
    return X, y, np.asarray(groups).ravel()


def fitted(name, **parameters):
    X, y, groups = make_data()
    target = X @ [1.0, -1.0, 0.5] if name in REGRESSORS else y
    with warnings.catch_warnings():
        # A tolerance may be out of reach of the cost-sensitive model on data this small.
        warnings.simplefilter("ignore")
        return FITTED[name](**parameters).fit(X, target, sensitive_features=groups)


def predictions(name, model):
    """Of all methods that the model answers by."""
    X, _, groups = make_data()
    known = {"sensitive_features": groups} if name in AWARE else {}
    methods = ("predict", "predict_proba", "decision_function", "transform")
    return {m: getattr(model, m)(X, **known) for m in methods if hasattr(model, m)}
