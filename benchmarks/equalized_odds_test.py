"""Type-I error and power of the test of equalized odds.

Run with ``python benchmarks/equalized_odds_test.py`` (some five minutes on two free cores); it
prints three tables. A has two columns, y is a + .7 a^2 + .3 noise in the first (or whether that is
above its median), and the prediction is y + strength a + .3 noise: fair at strength zero. Tests of
300 rows, statistic KPC, at level .05 with 19 copies. Densities: the true one; a linear Gaussian,
which does not fit; a Gaussian with quadratic mean and log-variance; a mixture density network.
"separate" is fitted to 500 other rows, "cross-fitted" to the rows tested, by folds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.frozen import FrozenEstimator

sys.path.insert(0, str(Path(__file__).parents[1]))

from fairsk.independence import (
    DensityMisfitWarning,
    HeteroscedasticGaussianDensity,
    KnownGaussianDensity,
    LinearGaussianDensity,
    MixtureDensityNetwork,
    equalized_odds_test,
)

N_ROWS, N_OTHER, N_COPIES, LEVEL, NOISE = 300, 500, 19, 0.05, 0.3
STRENGTHS = (0.0, 0.1, 0.2, 0.3)
# Power needs fewer repetitions than the level.
MAX_REPETITIONS_OF_POWER = 60


def mean_of(A: np.ndarray) -> np.ndarray:
    return A[:, 0] + 0.7 * A[:, 0] ** 2


def simulate(seed: int, n_rows: int, strength: float, discrete: bool) -> tuple:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n_rows, 2))
    y = mean_of(A) + NOISE * rng.normal(size=n_rows)
    label = (y > 0.3).astype(int) if discrete else y
    return A, label, label + strength * A[:, 0] + NOISE * rng.normal(size=n_rows)


ORACLE = {"density": FrozenEstimator(KnownGaussianDensity(mean_of, NOISE))}
# Settings of the test, whether its density has other rows to learn from, and repetitions.
CONTINUOUS: dict[str, tuple[dict[str, Any], bool, int]] = {
    "oracle": (ORACLE, False, 300),
    "linear Gaussian, separate": ({"density": LinearGaussianDensity()}, True, 300),
    "linear Gaussian, cross-fitted": ({"density": LinearGaussianDensity()}, False, 300),
    "quadratic Gaussian, separate": ({"density": HeteroscedasticGaussianDensity()}, True, 150),
    "quadratic Gaussian, cross-fitted": ({"density": HeteroscedasticGaussianDensity()}, False, 150),
    "mixture network, separate": ({"density": MixtureDensityNetwork(random_state=0)}, True, 100),
    "mixture network, cross-fitted": (
        {"density": MixtureDensityNetwork(random_state=0)}, False, 60,
    ),
}  # fmt: skip
DISCRETE: dict[str, tuple[dict[str, Any], bool, int]] = {
    "within label": ({"resampling": "within_label"}, False, 300),
    "logistic regression, separate": ({"resampling": "icp"}, True, 300),
    "logistic regression, cross-fitted": ({"resampling": "icp"}, False, 300),
}


def rejects(
    settings: dict[str, Any], separate: bool, strength: float, discrete: bool, seed: int
) -> bool:
    A, y, output = simulate(2 * seed, N_ROWS, strength, discrete)
    extra: dict[str, Any] = {}
    if separate:
        other_A, other_y, _ = simulate(2 * seed + 1, N_OTHER, strength, discrete)
        extra["density_data"] = (other_y, other_A)
    result = equalized_odds_test(
        y, output, sensitive_features=A, n_permutations=N_COPIES, check_density=False,
        random_state=seed, **settings, **extra,
    )  # fmt: skip
    return result.reject(LEVEL)


def print_table(title: str, cases: dict, discrete: bool) -> None:
    print(title)
    print(f"{'density':34}{'strength 0':>20}" + "".join(f"{s:>8}" for s in STRENGTHS[1:]))
    for name, (settings, separate, repetitions) in cases.items():
        cells = []
        for strength in STRENGTHS:
            n_seeds = repetitions if not strength else min(repetitions, MAX_REPETITIONS_OF_POWER)
            if strength and repetitions < 300:
                continue  # slow densities: the level alone
            rate = np.mean(
                Parallel(n_jobs=2)(
                    delayed(rejects)(settings, separate, strength, discrete, seed)
                    for seed in range(n_seeds)
                )
            )
            error = np.sqrt(LEVEL * (1 - LEVEL) / n_seeds)
            cells.append(f"{rate:8.2f}" if strength else f"{rate:8.3f} (.05 +- {error:.3f})")
        print(f"{name:34}" + "".join(cells), flush=True)


def print_check() -> None:
    """How often the density check warns: .01 of the densities that fit."""
    print("\nShare of density checks below .01")
    for name in ("oracle", "linear Gaussian, cross-fitted"):
        failed = 0
        for seed in range(50):
            A, y, output = simulate(2 * seed, N_ROWS, 0.0, False)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DensityMisfitWarning)
                result = equalized_odds_test(
                    y, output, sensitive_features=A, n_permutations=1, random_state=seed,
                    **CONTINUOUS[name][0],
                )  # fmt: skip
            failed += result.density_check.pvalue <= 0.01
        print(f"{name:34}{failed / 50:8.2f}")


def main() -> None:
    start = time.perf_counter()
    shared = f"Share of tests that reject: {N_ROWS} rows, level {LEVEL}, {N_COPIES} copies"
    print_table(f"{shared}, continuous label", CONTINUOUS, discrete=False)
    print()
    print_table(f"{shared}, binary label", DISCRETE, discrete=True)
    print_check()
    print(f"\n{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    main()
