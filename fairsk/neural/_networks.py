"""Networks: the default ones, the user's module, and the check of what it gives.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn


def make_mlp(n_inputs: int, hidden_layer_sizes: Sequence[int], n_outputs: int) -> nn.Sequential:
    """A linear model (no hidden layers) or a multilayer perceptron with ReLU.

    Examples
    --------
    >>> make_mlp(3, (), 1)
    Sequential(
      (0): Linear(in_features=3, out_features=1, bias=True)
    )
    """
    layers: list[nn.Module] = []
    for width in hidden_layer_sizes:
        layers += [nn.Linear(n_inputs, int(width)), nn.ReLU()]
        n_inputs = int(width)
    return nn.Sequential(*layers, nn.Linear(n_inputs, n_outputs))


def module_builder(
    module: Any, n_inputs: int, hidden_layer_sizes: Sequence[int], n_outputs: int
) -> Callable[[int], nn.Module]:
    """What makes the module to train; called once a start with the number of the start.

    Parameters
    ----------
    module : torch.nn.Module, callable or None
        A module is copied and keeps its weights in the first start; a callable is called with
        (n_inputs, n_outputs); None is the default network.
    n_inputs, n_outputs : int
    hidden_layer_sizes : sequence of int
        Of the default network.

    Raises
    ------
    TypeError
        If ``module`` is none of these.
    """
    if module is None:
        return lambda start: make_mlp(n_inputs, hidden_layer_sizes, n_outputs)
    if isinstance(module, nn.Module):
        return lambda start: _copy_of(module, fresh=start > 0)
    if callable(module):
        return lambda start: _checked(module(n_inputs, n_outputs))
    raise TypeError(
        f"module must be a torch.nn.Module, a callable (n_inputs, n_outputs) -> Module, or None "
        f"for the default network, got {type(module).__name__}."
    )


def _checked(module: Any) -> nn.Module:
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"The callable given as module returned {type(module).__name__}, not a torch.nn.Module."
        )
    return module


def _copy_of(module: nn.Module, fresh: bool) -> nn.Module:
    """A copy; with new initial weights where the parts know how, for a restart."""
    module = copy.deepcopy(module)
    if fresh:
        for part in module.modules():
            reset: Any = getattr(part, "reset_parameters", None)
            if reset is not None:
                reset()
    return module


def check_output_width(module: nn.Module, n_inputs: int, widths: Sequence[int], what: str) -> int:
    """Run the module on two rows of zeros and look at what comes out.

    Parameters
    ----------
    module : torch.nn.Module
    n_inputs : int
    widths : sequence of int
        The widths that are right.
    what : str
        What the outputs stand for, for the message.

    Returns
    -------
    int
        The width.

    Raises
    ------
    ValueError
        If the module fails on ``n_inputs`` columns, or gives another width.
    """
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            outputs = module(torch.zeros(2, n_inputs))
    except Exception as error:
        raise ValueError(
            f"The module fails on 2 rows of {n_inputs} features, which is what X has: {error}"
        ) from error
    finally:
        module.train(was_training)
    shape = tuple(getattr(outputs, "shape", ()))
    if len(shape) != 2 or shape[0] != 2 or shape[1] not in widths:
        wanted = " or ".join(str(width) for width in widths)
        raise ValueError(
            f"The module returns shape {shape} for 2 rows; it must return (2, {wanted}): {what}."
        )
    return int(shape[1])
