"""Which algorithm draws the permutations, behind one interface: a hub, then copies from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from fairsk.independence._cells import CellTables, ClassMatching, find_cells
from fairsk.independence._chain import PairwiseChain, check_observed
from fairsk.independence._density import Conditional, TableConditional
from fairsk.independence._exact import ConditionalBernoulli

ALGORITHMS = ("auto", "exact", "chain")


class Engine(ABC):
    """Draws permutations of targets over given rows from equation (6) or (7) of FairICP.

    Copies are spokes of a hub: the hub is reached from the data by the reversed chain, and each
    copy from the hub by the chain. Data and copies are then exchangeable where the density is
    right, however few the steps, which a serial chain of copies is not.
    """

    name: str
    is_exact: bool

    @abstractmethod
    def hub(self, n_steps: int, rng: np.random.Generator) -> Any:
        """The state that all copies start from."""

    @abstractmethod
    def draw(self, hub: Any, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        """One permutation; ``permutation[i]`` is the target that goes with given row i."""


class ChainEngine(Engine):
    """The pairwise chain, for any density."""

    name = "chain"
    is_exact = False

    def __init__(
        self, conditional: Conditional, target: np.ndarray, steps_per_order: int | None = None
    ) -> None:
        self._chain = PairwiseChain(conditional, target, steps_per_order=steps_per_order)

    def hub(self, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        start = np.arange(self._chain.n_rows)
        return self._chain.run(start, n_steps, rng, backward=True)

    def draw(self, hub: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        return self._chain.run(hub, n_steps, rng)


class BinaryEngine(Engine):
    """Two classes: independent exact draws."""

    name = "binary"
    is_exact = True

    def __init__(self, conditional: TableConditional, target: np.ndarray) -> None:
        codes = _observed_codes(conditional, target)
        table = conditional.log_probabilities
        self._bernoulli = ConditionalBernoulli(table[:, 1] - table[:, 0], int(codes.sum()))
        self._matching = ClassMatching(codes, 2)

    def hub(self, n_steps: int, rng: np.random.Generator) -> None:
        return None

    def draw(self, hub: None, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        return self._matching.match(self._bernoulli.draw(rng), rng)


class CellEngine(Engine):
    """Few distinct given rows and few classes: through the table of counts."""

    def __init__(
        self, conditional: TableConditional, target: np.ndarray, cells: np.ndarray
    ) -> None:
        codes = _observed_codes(conditional, target)
        _, first = np.unique(cells, return_index=True)
        self._tables = CellTables(conditional.log_probabilities[first], cells, codes)
        self.is_exact = self._tables.is_exact
        self.name = "cells" if self.is_exact else "cell_chain"

    def hub(self, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        # Steps with independent random pairs are their own reverse.
        return self._tables.run(self._tables.observed, n_steps, rng)

    def draw(self, hub: np.ndarray, n_steps: int, rng: np.random.Generator) -> np.ndarray:
        return self._tables.permutation(self._tables.run(hub, n_steps, rng), rng)

    def step(self, hub: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One step of the chain over tables."""
        return self._tables.run(hub, 1, rng)


def choose_engine(conditional: Conditional, target: np.ndarray, algorithm: str = "auto") -> Engine:
    """The best algorithm for a density and its data.

    Parameters
    ----------
    conditional : Conditional
        Of n rows.
    target : ndarray of shape (n,) or (n, n_outputs)
    algorithm : {"auto", "exact", "chain"}, default="auto"
        "auto" prefers what needs no chain, then the chain over a table of counts; "exact" accepts
        independent exact draws alone; "chain" is the pairwise chain.

    Returns
    -------
    Engine

    Raises
    ------
    ValueError
        If ``algorithm`` is unknown, "exact" is not possible, or the density of an observed row is
        NaN or zero.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {ALGORITHMS}, got {algorithm!r}.")
    if algorithm != "chain" and isinstance(conditional, TableConditional):
        _observed_codes(conditional, target)
        cells = find_cells(conditional.log_probabilities)
        if cells is not None:
            engine = CellEngine(conditional, target, cells)
            if engine.is_exact or (algorithm == "auto" and len(conditional.classes) > 2):
                return engine
        if len(conditional.classes) == 2:
            return BinaryEngine(conditional, target)
    if algorithm == "exact":
        raise ValueError(
            "algorithm='exact' needs a target with two classes, or a discrete one and two distinct "
            "given rows. Use algorithm='auto', which then runs a Markov chain."
        )
    return ChainEngine(conditional, target)


def _observed_codes(conditional: TableConditional, target: np.ndarray) -> np.ndarray:
    codes = conditional.codes(target)
    table = conditional.log_probabilities
    check_observed(table[np.arange(len(codes)), codes])
    check_observed(np.where(np.isnan(table).any(axis=1), np.nan, 0.0))
    return codes
