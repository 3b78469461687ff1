"""CPU seconds a conditional permutation takes, and how well the chain mixes.

    OMP_NUM_THREADS=1 python benchmarks/icp_sampler.py          # about three minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/icp_sampler.py --sizes 1000 10000

A copy is drawn from a fitted sampler with 50 steps; the set-up, once a sample, is what `fit` does
after the density is known: it looks for cells, makes convolutions or finds the hub. The second
table holds fresh pairings in every step against cyclic offsets within a storage order: with r the
correlation of a copy with its start, and r0 that of an independent draw, (r - r0) / (1 - r0).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from fairsk.independence import GaussianConditional, TableConditional
from fairsk.independence._chain import PairwiseChain
from fairsk.independence._density import Conditional
from fairsk.independence._engines import choose_engine

N_STEPS = 50


def gaussian(n: int, rng: np.random.Generator, correlation: float = 0.8) -> tuple:
    a = rng.normal(size=n)
    scale = np.sqrt(1 - correlation**2)
    y = correlation * a + scale * rng.normal(size=n)
    return GaussianConditional(correlation * a, np.full(n, scale)), y


def heteroscedastic(n: int, rng: np.random.Generator) -> tuple:
    a = rng.normal(size=n)
    scale = np.exp(0.3 * a)
    return GaussianConditional(a, scale), a + scale * rng.normal(size=n)


def cells(n_cells: int, n_classes: int) -> Callable:
    def make(n: int, rng: np.random.Generator) -> tuple:
        distinct = np.log(rng.dirichlet(np.full(n_classes, 3.0), size=n_cells))
        return drawn_from(distinct[rng.integers(n_cells, size=n)], rng)

    return make


def table(n_classes: int) -> Callable:
    def make(n: int, rng: np.random.Generator) -> tuple:
        return drawn_from(np.log(rng.dirichlet(np.full(n_classes, 3.0), size=n)), rng)

    return make


def drawn_from(log_probabilities: np.ndarray, rng: np.random.Generator) -> tuple:
    cumulative = np.exp(log_probabilities).cumsum(axis=1)[:, :-1]
    codes = (rng.random(len(cumulative))[:, None] > cumulative).sum(axis=1)
    return TableConditional(np.arange(log_probabilities.shape[1]), log_probabilities), codes


CASES = {
    "Gaussian Y": gaussian,
    "heteroscedastic Gaussian Y": heteroscedastic,
    "4 cells, binary Y (exact)": cells(4, 2),
    "4 cells, 3 classes": cells(4, 3),
    "8 cells, 10 classes": cells(8, 10),
    "table, 5 classes": table(5),
    "table, 50 classes": table(50),
    "continuous A, binary Y (exact)": table(2),
}


def seconds(call: Callable, least: float = 0.3) -> float:
    """CPU seconds of one call, over calls that take some time together."""
    call()
    calls, start = 0, time.process_time()
    while time.process_time() - start < least:
        call()
        calls += 1
    return (time.process_time() - start) / calls


def time_case(make: Callable, n: int) -> tuple[str, float, float]:
    rng = np.random.default_rng(0)
    conditional, target = make(n, rng)
    start = time.process_time()
    engine = choose_engine(conditional, target)
    hub = engine.hub(N_STEPS, rng)
    setup = time.process_time() - start
    return engine.name, setup, seconds(lambda: engine.draw(hub, N_STEPS, rng))


def remains(conditional: Conditional, y: np.ndarray, steps_per_order: int, n_steps: int) -> str:
    """Mean and standard error of what copies keep of their start."""
    rng = np.random.default_rng(1)
    chain = PairwiseChain(conditional, y, steps_per_order=steps_per_order)
    values = (y - y.mean()) / y.std()
    state, kept = chain.run(np.arange(len(y)), N_STEPS, rng), []
    for _ in range(max(20, 200_000 // len(y))):
        near = chain.run(state, n_steps, rng)
        far = chain.run(near, 500, rng)
        independent = (values[state] * values[far]).mean()
        kept.append(((values[state] * values[near]).mean() - independent) / (1 - independent))
        state = far
    return f"{np.mean(kept):7.4f} ({np.std(kept) / np.sqrt(len(kept)):.4f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 10_000, 100_000, 1_000_000])
    sizes = parser.parse_args().sizes
    print(f"CPU seconds a copy ({N_STEPS} steps), in brackets the set-up of a sample")
    print(f"{'':32}{'algorithm':12}" + "".join(f"{f'n = {n:,}':>20}" for n in sizes))
    for name, make in CASES.items():
        timed = [time_case(make, n) for n in sizes]
        cells_ = "".join(f"{f'{copy:.4f} ({setup:.3f})':>20}" for _, setup, copy in timed)
        print(f"{name:32}{timed[-1][0]:12}{cells_}")
    print("\nShare of the start that a copy keeps (standard error)")
    print(f"{'n':>8}{'corr(A, Y)':>12}{'steps':>7}{'fresh pairings':>20}{'cyclic offsets':>20}")
    for n in (1000, 10_000):
        for correlation in (0.5, 0.9, 0.97):
            for n_steps in (10, 50, 100):
                conditional, y = gaussian(n, np.random.default_rng(0), correlation)
                columns = "".join(f"{remains(conditional, y, k, n_steps):>20}" for k in (1, 10))
                print(f"{n:>8}{correlation:>12}{n_steps:>7}{columns}")


if __name__ == "__main__":
    main()
