"""Fitted estimators are saved as data and loaded with the types that we declare."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import skops.io as sio
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from fairsk import (
    BayesOptimalFairPostProcessor,
    FairGridSearchCV,
    FairICPRegressor,
    MinDiffIOClassifier,
    best_within_tolerance,
    make_aware_scorer,
    make_fairness_scorer,
    skops_trusted_types,
)
from tests.interop._fitted import FITTED, UNFITTED, fitted, make_data, predictions

# Of scikit-learn's, not ours to declare.
FOREIGN = ("sklearn.", "numpy.", "scipy.")


def round_trip(model, also=()):
    data = sio.dumps(model)
    missing = [
        name
        for name in sio.get_untrusted_types(data=data)
        if name not in skops_trusted_types() and name not in also and not name.startswith(FOREIGN)
    ]
    assert not missing, f"fairsk.utils._skops lacks {missing}"
    foreign = [t for t in sio.get_untrusted_types(data=data) if t.startswith(FOREIGN)]
    return sio.loads(data, trusted=[*skops_trusted_types(), *foreign, *also])


def check_same(before, after):
    assert before.keys() == after.keys()
    for method, values in before.items():
        np.testing.assert_array_equal(values, after[method])


@pytest.mark.parametrize("name", FITTED)
def test_every_estimator_predicts_the_same(name):
    model = fitted(name)
    again = round_trip(model)
    check_same(predictions(name, model), predictions(name, again))
    assert again.get_params().keys() == model.get_params().keys()
    clone(again)


@pytest.mark.parametrize("name", UNFITTED)
def test_every_estimator_is_saved_unfitted(name):
    model = UNFITTED[name]()
    assert repr(round_trip(model)) == repr(model)


def test_declared_types_exist_and_are_classes():
    for name in skops_trusted_types():
        module, _, attribute = name.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), attribute), type), name


def test_nothing_of_ours_is_loaded_without_being_trusted():
    with pytest.raises(sio.exceptions.UntrustedTypesFoundException, match="fairsk"):
        sio.loads(sio.dumps(fitted("post-processor")))


def test_features_of_other_kinds_bring_no_other_types():
    X, y, groups = make_data()
    number = np.random.default_rng(0).normal(size=len(y))
    short = {"max_epochs": 2, "hidden_layer_sizes": (4,), "random_state": 0}
    mixed = np.column_stack([number, groups == groups[0]])
    model = FairICPRegressor(**short).fit(X, X[:, 0], sensitive_features=mixed)
    np.testing.assert_array_equal(model.predict(X), round_trip(model).predict(X))
    rule = BayesOptimalFairPostProcessor(
        LogisticRegression(), cv=2, calibration="isotonic", groups="independent", random_state=0
    ).fit(X, y, sensitive_features=np.column_stack([groups, y[::-1]]))
    np.testing.assert_array_equal(rule.predict(X), round_trip(rule).predict(X))


def test_training_goes_on_after_loading():
    X, y, groups = make_data()
    model = MinDiffIOClassifier(hidden_layer_sizes=(4,), optimizer="adam", random_state=0)
    model.partial_fit(X, y, sensitive_features=groups)
    again = round_trip(model)
    for one in (model, again):
        one.partial_fit(X, y, sensitive_features=groups)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def test_a_module_of_the_users_adds_its_own_types():
    torch = pytest.importorskip("torch")
    X, _, groups = make_data()
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
    )
    module[0].weight.requires_grad_(False)
    model = FairICPRegressor(module=module, max_epochs=2, random_state=0)
    model.fit(X, X[:, 0], sensitive_features=groups)
    layers = ["torch.nn.modules.activation.Tanh", "torch.nn.modules.batchnorm.BatchNorm1d"]
    again = round_trip(model, also=layers)
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    assert not again.module_[0].weight.requires_grad and again.module_[3].weight.requires_grad
    # The constructor's parameter is a module as well, and still can be trained from.
    again.fit(X, X[:, 0], sensitive_features=groups)
    np.testing.assert_array_equal(model.predict(X), again.predict(X))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_search_with_its_scorers():
    X, y, groups = make_data()
    with config_context(enable_metadata_routing=True):
        search = FairGridSearchCV(
            BayesOptimalFairPostProcessor(LogisticRegression(), cv=2, random_state=0),
            {"tolerance": [0.1, 0.3]},
            cv=2,
            scoring={
                "accuracy": make_aware_scorer(),
                "parity": make_fairness_scorer("demographic_parity"),
            },
            refit=best_within_tolerance(0.5, objective="accuracy", violation="parity"),
        ).fit(X, y, sensitive_features=groups)
    again = round_trip(search)
    np.testing.assert_array_equal(search.predict(X), again.predict(X))
    assert again.best_params_ == search.best_params_
