"""Training for the reweighter: afresh, or from the parameters of a trained model."""

from __future__ import annotations

import copy
import inspect
import warnings
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from fairsk.base import SensitiveFeaturesWarning, fit_model, weight_parameter


def fit_weighted(estimator: Any, X: Any, y: np.ndarray, weight: np.ndarray | None) -> Any:
    """Fit a clone. A fair network inside is meant to be plain, and is not asked for groups."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SensitiveFeaturesWarning)
        return fit_model(estimator, X, y, weight)


def fit_from(trained: Any, X: Any, y: np.ndarray, weight: np.ndarray) -> Any:
    """Fit a copy of a trained model, from where its training ended.

    Parameters
    ----------
    trained : estimator
        A network of fairsk, or an estimator with ``warm_start``, or a pipeline that ends in one.
    X, y, weight
        Training rows.

    Returns
    -------
    estimator
    """
    last = _last(trained)
    if hasattr(last, "module_") and "module" in last.get_params(deep=False):
        model = clone(trained)
        _last(model).set_params(module=copy.deepcopy(last.module_))
        return fit_weighted(model, X, y, weight)
    model = copy.deepcopy(trained)
    before = last.warm_start
    _last(model).set_params(warm_start=True)
    with config_context(enable_metadata_routing=False):
        model.fit(X, y, **{weight_parameter(model): weight})
    _last(model).set_params(warm_start=before)
    return model


def check_trainable(estimator: Any, warm_start: bool) -> None:
    """Refuse an estimator that cannot be trained with weights, or not from where it ended.

    Raises
    ------
    TypeError
    """
    last = _last(estimator)
    if hasattr(last, "initialize_module") and (
        "sample_weight" not in inspect.signature(last.fit).parameters
    ):
        raise TypeError(
            f"{type(last).__name__} is a net of skorch, whose fit takes no sample_weight. Set "
            f"refit=False or call fairsk.influence_weights for the weights alone and weight the "
            f"loss yourself, or use a network of fairsk."
        )
    weight_parameter(estimator)
    parameters = last.get_params(deep=False)
    if warm_start and not {"warm_start", "module"} & set(parameters):
        raise TypeError(
            f"{type(last).__name__} cannot start from trained parameters: it has no warm_start. "
            f"Set warm_start=False."
        )


def _last(estimator: Any) -> Any:
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
