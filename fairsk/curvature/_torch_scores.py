"""Scores of a torch module, of all its parameters or some.

Imports torch, so it is loaded when a network is looked at and not before.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.func import functional_call, grad, jvp, vmap

from fairsk.curvature._score_model import Linearization, ScoreModel

OUTPUTS = ("logits", "probabilities")
# A linearization keeps its graph when the graph is no larger than this.
MAX_GRAPH_BYTES = 256 * 2**20

with warnings.catch_warnings():
    # The first forward-mode product loads rules that torch itself compiles in a deprecated way.
    warnings.simplefilter("ignore", DeprecationWarning)
    jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))


class TorchScoreModel(ScoreModel):
    """z(x) of a module with one output (the log-odds) or two (z is their difference).

    Parameters
    ----------
    module : torch.nn.Module
        A copy in evaluation mode is looked at.
    parameters : {"all", "last"} or sequence of str, default="all"
        Which parameters influence acts on: all, those of the last layer that has any, or names
        as in ``module.named_parameters()``.
    outputs : {"logits", "probabilities"}, default="logits"
    chunk_rows : int, default=2048
        Rows that go through the module together.

    Attributes
    ----------
    names : tuple of str
        Of the parameters, in the order of the flat vector.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> TorchScoreModel(module).n_parameters, TorchScoreModel(module, parameters="last").names
    (26, ('2.weight', '2.bias'))
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        parameters: str | Sequence[str] = "all",
        outputs: str = "logits",
        chunk_rows: int = 2048,
    ) -> None:
        if outputs not in OUTPUTS:
            raise ValueError(f"outputs must be one of {list(OUTPUTS)}, got {outputs!r}.")
        self.outputs, self.chunk_rows = outputs, chunk_rows
        self.module = copy.deepcopy(module).eval()
        self.names = _chosen_names(self.module, parameters)
        for name, value in self.module.named_parameters():
            value.requires_grad_(name in self.names)
        named = dict(self.module.named_parameters())
        self._values = {name: named[name] for name in self.names}
        first = next(iter(self._values.values()))
        self.dtype, self.device = first.dtype, first.device
        flat = torch.cat([value.detach().reshape(-1) for value in self._values.values()])
        self.parameters = flat.double().cpu().numpy()

    # ---------------------------------------------------------------- products

    def scores(self, X: Any) -> np.ndarray:
        with torch.no_grad():
            return self._join([self._z(rows) for rows in self._chunks(X)])

    def pull_back(self, X: Any, coefficients: np.ndarray) -> np.ndarray:
        total = np.zeros((coefficients.shape[1], self.n_parameters))
        start = 0
        for rows in self._chunks(X):
            part = coefficients[start : start + len(rows)]
            total += _Graph(self, rows).pull(part)
            start += len(rows)
        return total

    def push_forward(self, X: Any, directions: np.ndarray) -> np.ndarray:
        values = {name: value.detach() for name, value in self._values.items()}
        stacked = self._unflatten(directions)
        parts = []
        with torch.no_grad():
            for rows in self._chunks(X):

                def along(step: dict, rows: torch.Tensor = rows) -> torch.Tensor:
                    return jvp(lambda p: self._z(rows, p), (values,), (step,))[1]

                if len(directions) == 1:
                    parts.append(along({k: v[0] for k, v in stacked.items()})[:, None])
                else:
                    parts.append(vmap(along, randomness="error")(stacked).T)
        return self._join(parts)

    def second_order(self, X: Any, coefficients: np.ndarray, direction: np.ndarray) -> np.ndarray:
        step = [v[0] for v in self._unflatten(direction[None]).values()]
        total, start = np.zeros(self.n_parameters), 0
        for rows in self._chunks(X):
            weight = self._tensor(coefficients[start : start + len(rows)])
            start += len(rows)
            z = (self._z(rows) * weight).sum()
            first = torch.autograd.grad(z, self._leaves, create_graph=True, allow_unused=True)
            # Where the score is linear in a parameter its gradient has no graph.
            slope = sum((g * v).sum() for g, v in zip(first, step, strict=True) if g is not None)
            if isinstance(slope, torch.Tensor) and slope.requires_grad:
                second = torch.autograd.grad(slope, self._leaves, allow_unused=True)
                total += self._flatten(second)
        return total

    def jacobian(self, X: Any) -> np.ndarray:
        values = {name: value.detach() for name, value in self._values.items()}
        each = vmap(grad(lambda p, row: self._z(row[None], p)[0]), in_dims=(None, 0))
        parts = []
        for rows in self._chunks(X):
            gradients = each(values, rows)
            parts.append(torch.cat([gradients[k].flatten(1) for k in self.names], dim=1))
        return self._join(parts)

    def linearize(self, X: Any) -> Linearization:
        graphs, left = [], MAX_GRAPH_BYTES
        for rows in self._chunks(X):
            graphs.append(_Graph(self, rows, count_bytes=True))
            left -= graphs[-1].n_bytes
            if left < 0:
                return Linearization(self, X)
        return _KeptGraphs(self, X, graphs)

    def mark(self, ending: str) -> np.ndarray:
        """1 for each parameter whose name ends so, else 0; shape (n_parameters,)."""
        sizes = [value.numel() for value in self._values.values()]
        return np.repeat([float(name.endswith(ending)) for name in self.names], sizes)

    # ----------------------------------------------------------------- helpers

    @property
    def _leaves(self) -> list[torch.Tensor]:
        return list(self._values.values())

    def _z(self, rows: torch.Tensor, values: dict | None = None) -> torch.Tensor:
        output = self.module(rows) if values is None else functional_call(self.module, values, rows)
        if output.ndim == 2 and output.shape[1] == 2:
            output = output.log() if self.outputs == "probabilities" else output
            return output[:, 1] - output[:, 0]
        if output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1):
            z = output.reshape(len(rows))
            return torch.logit(z) if self.outputs == "probabilities" else z
        raise ValueError(
            f"The module returns shape {tuple(output.shape)} for {len(rows)} rows; a binary "
            f"classifier returns one column (the log-odds of the second class) or two."
        )

    def _chunks(self, X: Any) -> Iterator[torch.Tensor]:
        for start in range(0, X.shape[0], self.chunk_rows):
            rows = X[start : start + self.chunk_rows]
            if isinstance(rows, torch.Tensor):
                yield rows.to(self.device, self.dtype)
            else:
                yield self._tensor(rows.toarray() if sparse.issparse(rows) else rows)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        # torch warns of arrays that it could not write to, such as memory maps.
        values = values if values.flags.writeable else values.copy()
        return torch.as_tensor(values, dtype=self.dtype, device=self.device)

    def _join(self, parts: list[torch.Tensor]) -> np.ndarray:
        return torch.cat(parts).detach().double().cpu().numpy()

    def _unflatten(self, vectors: np.ndarray) -> dict[str, torch.Tensor]:
        """Vectors (m, n_parameters) as a stack of m values for each name."""
        stacked, start = {}, 0
        for name, value in self._values.items():
            stop = start + value.numel()
            part = self._tensor(np.ascontiguousarray(vectors[:, start:stop]))
            stacked[name] = part.reshape(len(vectors), *value.shape)
            start = stop
        return stacked

    def _flatten(self, gradients: Sequence[torch.Tensor | None]) -> np.ndarray:
        pairs = zip(gradients, self._leaves, strict=True)
        flat = [torch.zeros_like(v) if g is None else g for g, v in pairs]
        return torch.cat([g.reshape(-1) for g in flat]).detach().double().cpu().numpy()


class _Graph:
    """The graph of one chunk's scores, for any number of products J v and J' c.

    J' c is linear in c, so that its derivative in c along v is J v: two backward passes do the
    work of a forward-mode one, and nothing is evaluated again.
    """

    def __init__(self, model: TorchScoreModel, rows: torch.Tensor, count_bytes: bool = False):
        self.model, self.n_rows, self.n_bytes = model, len(rows), 0
        known = {t.untyped_storage().data_ptr() for t in (rows, *model.module.parameters())}

        def count(saved: torch.Tensor) -> torch.Tensor:
            storage = saved.untyped_storage()
            if storage.data_ptr() not in known:
                known.add(storage.data_ptr())
                self.n_bytes += storage.nbytes()
            return saved

        if count_bytes:
            with torch.autograd.graph.saved_tensors_hooks(count, lambda saved: saved):
                self.z = model._z(rows)
        else:
            self.z = model._z(rows)
        self.forward: tuple | None = None

    def pull(self, coefficients: np.ndarray) -> np.ndarray:
        gradients = []
        for column in coefficients.T:
            seed = self.model._tensor(np.ascontiguousarray(column))
            found = torch.autograd.grad(
                self.z, self.model._leaves, seed, retain_graph=True, allow_unused=True
            )
            gradients.append(self.model._flatten(found))
        return np.array(gradients)

    def push(self, directions: np.ndarray) -> np.ndarray:
        if self.forward is None:
            seed = torch.zeros_like(self.z, requires_grad=True)
            found = torch.autograd.grad(
                self.z, self.model._leaves, seed, create_graph=True, allow_unused=True
            )
            used = [k for k, g in enumerate(found) if g is not None]
            self.forward = seed, [found[k] for k in used], used
        seed, gradients, used = self.forward
        stacked = list(self.model._unflatten(directions).values())
        columns = [
            torch.autograd.grad(gradients, seed, [stacked[k][m] for k in used], retain_graph=True)
            for m in range(len(directions))
        ]
        return torch.stack([column[0] for column in columns], dim=1).double().cpu().numpy()


class _KeptGraphs(Linearization):
    """Chunks whose graphs fit into memory."""

    def __init__(self, model: TorchScoreModel, X: Any, graphs: list[_Graph]) -> None:
        super().__init__(model, X)
        self.graphs = graphs

    def push(self, directions: np.ndarray) -> np.ndarray:
        return np.concatenate([graph.push(directions) for graph in self.graphs])

    def pull(self, coefficients: np.ndarray) -> np.ndarray:
        bounds = np.cumsum([graph.n_rows for graph in self.graphs])[:-1]
        parts = zip(self.graphs, np.split(coefficients, bounds), strict=True)
        return np.sum([graph.pull(part) for graph, part in parts], axis=0)


def _chosen_names(module: nn.Module, parameters: str | Sequence[str]) -> tuple[str, ...]:
    """Names of the parameters that are asked for."""
    every = [name for name, _ in module.named_parameters()]
    if not every:
        raise ValueError("The module has no parameters.")
    if isinstance(parameters, str) and parameters == "all":
        return tuple(every)
    if isinstance(parameters, str) and parameters == "last":
        layer = every[-1].rpartition(".")[0]
        return tuple(name for name in every if name.rpartition(".")[0] == layer)
    chosen = [parameters] if isinstance(parameters, str) else list(parameters)
    unknown = sorted(set(chosen) - set(every))
    if unknown or not chosen:
        raise ValueError(
            f"parameters must be 'all', 'last' or names of the module's parameters {every}; "
            f"got {parameters!r}."
        )
    return tuple(name for name in every if name in chosen)
