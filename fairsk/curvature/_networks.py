"""What the networks of others say of themselves: modules, penalties and the kind of outputs.

Imports torch, so it is loaded when a network is looked at and not before.
"""

from __future__ import annotations

from typing import Any

import torch
from sklearn.neural_network import MLPClassifier
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
    "identity": nn.Identity,
}
# Criteria of skorch whose modules return probabilities; skorch takes the logarithm for NLLLoss.
ON_PROBABILITIES = ("NLLLoss", "BCELoss")


def module_of_mlp(estimator: MLPClassifier) -> nn.Sequential:
    """scikit-learn's multilayer perceptron as a module with one logit, in its precision."""
    layers: list[nn.Module] = []
    for weights, intercepts in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        layer = nn.Linear(*weights.shape)
        layer.weight = nn.Parameter(torch.tensor(weights.T.copy()))
        layer.bias = nn.Parameter(torch.tensor(intercepts))
        layers += [layer, ACTIVATIONS[estimator.activation]()]
    return nn.Sequential(*layers[:-1])


def is_skorch(estimator: Any) -> bool:
    """Whether the estimator is a trained net of skorch."""
    return hasattr(estimator, "module_") and hasattr(estimator, "optimizer_")


def outputs_of(estimator: Any) -> str:
    """Whether the module of an estimator returns logits or probabilities."""
    criterion = type(getattr(estimator, "criterion_", None)).__name__
    return "probabilities" if criterion in ON_PROBABILITIES else "logits"


def weight_decay_of(estimator: Any) -> float:
    """The L2 penalty that a network was trained with, zero where it does not say.

    Raises
    ------
    ValueError
        If parts of the network have different ones.
    """
    if is_skorch(estimator):
        found = {float(g.get("weight_decay", 0.0)) for g in estimator.optimizer_.param_groups}
        if len(found) > 1:
            raise ValueError(
                f"The optimizer has several weight decays {sorted(found)}. Pass l2, one for all."
            )
        return found.pop()
    return float(getattr(estimator, "weight_decay", 0.0))
