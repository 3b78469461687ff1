"""Networks that can be saved without torch's own format: tensors as arrays, and back.

skops, which saves models as data and not as code, cannot save a tensor. It can save everything else
of a module, so the state of an estimator holds modules whose tensors are arrays.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as an array.

    Attributes
    ----------
    values : ndarray
    dtype : str
        Of the tensor; an array has no bfloat16.
    is_parameter : bool
    requires_grad : bool
    """

    values: np.ndarray
    dtype: str
    is_parameter: bool
    requires_grad: bool


def tensors_as_arrays(value: Any) -> Any:
    """A value in which every tensor, in modules and containers, is a `StoredTensor`.

    What holds none is returned as it is, and so are modules that are compiled to code of their own
    (``torch.jit``) and tensors that are not plain numbers in memory (sparse or quantised ones).

    Parameters
    ----------
    value : object
        An attribute of an estimator.
    """
    torch = sys.modules.get("torch")
    # Without torch loaded there can be no tensor.
    return value if torch is None else _Storing(torch).of(value)


def arrays_as_tensors(value: Any) -> Any:
    """The inverse of `tensors_as_arrays`; on the CPU."""
    return _Restoring().of(value)


class _Walk:
    """Containers, dataclasses and modules, each object once, so that what is shared stays so."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[Any, Any]] = {}

    def of(self, value: Any) -> Any:
        if id(value) not in self._done:
            # The value is kept too: its id must not be given to another object meanwhile.
            self._done[id(value)] = (value, self._new(value))
        return self._done[id(value)][1]

    def _new(self, value: Any) -> Any:
        if isinstance(value, dict):
            changed = {key: self.of(item) for key, item in value.items()}
            return value if _same(changed.values(), value.values()) else type(value)(changed)
        if type(value) in (list, tuple):
            parts = [self.of(item) for item in value]
            return value if _same(parts, value) else type(value)(parts)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            parts = [self.of(item) for item in fields.values()]
            if _same(parts, fields.values()):
                return value
            return dataclasses.replace(value, **dict(zip(fields, parts, strict=True)))
        return self._other(value)

    def _other(self, value: Any) -> Any:
        return value

    def _module(self, module: Any) -> Any:
        """A module of the same class with other tensors; the original is left alone."""
        copy = module.__class__.__new__(module.__class__)
        self._done[id(module)] = (module, copy)
        copy.__dict__.update({name: self.of(item) for name, item in vars(module).items()})
        return copy


def _same(new: Any, old: Any) -> bool:
    return all(a is b for a, b in zip(new, old, strict=True))


class _Storing(_Walk):
    def __init__(self, torch: Any) -> None:
        super().__init__()
        self.torch = torch

    def _other(self, value: Any) -> Any:
        if isinstance(value, self.torch.Tensor):
            return self._tensor(value)
        if isinstance(value, self.torch.nn.Module) and not isinstance(
            value, self.torch.jit.ScriptModule
        ):
            return self._module(value)
        return value

    def _tensor(self, tensor: Any) -> Any:
        if tensor.layout != self.torch.strided or tensor.is_quantized:
            return tensor
        plain = tensor.detach().cpu()
        dtype = str(plain.dtype).removeprefix("torch.")
        if dtype == "bfloat16":
            plain = plain.float()
        is_parameter = isinstance(tensor, self.torch.nn.Parameter)
        return StoredTensor(plain.numpy().copy(), dtype, is_parameter, tensor.requires_grad)


class _Restoring(_Walk):
    def _other(self, value: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.nn.Module):
            return self._module(value)
        return value

    def _new(self, value: Any) -> Any:
        if not isinstance(value, StoredTensor):
            return super()._new(value)
        import torch

        tensor = torch.from_numpy(np.array(value.values)).to(getattr(torch, value.dtype))
        if value.is_parameter:
            return torch.nn.Parameter(tensor, requires_grad=value.requires_grad)
        return tensor.requires_grad_(value.requires_grad)
