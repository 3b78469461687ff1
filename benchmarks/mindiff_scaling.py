"""Speed of MinDiff-IO as tasks and groups grow, as a ratio to the same network unremediated.

    OMP_NUM_THREADS=1 python benchmarks/mindiff_scaling.py            # about five minutes
    OMP_NUM_THREADS=1 python benchmarks/mindiff_scaling.py --quick    # three sizes, one batch size

1,000 dense inputs, 64 hidden units, stochastic gradient descent, Gaussian kernel, one thread. The
ratio is steps a second with remediation over steps a second without, same T, same data, same run: a
fit of four epochs less a fit of one, alternating between the methods, each the shortest of several,
in processor time. "full" is the T x G streams of the baseline; it is left out from 100 streams on,
where a step takes seconds. "extra" is the number of extra rows in a remediated batch.

The flatness is the ratio of the slowest to the fastest of a column, over all T and G.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

from fairsk import MinDiffIOClassifier

SIZES = ((1, 1), (3, 2), (3, 4), (10, 4), (10, 10), (30, 10), (100, 10))
METHODS = {
    "IO b/4": {},
    "IO b/4 Laplace": {"kernel": "laplace"},
    "IO b/4 every 4": {"remediate_every": 4},
    "IO b/4 every 8": {"remediate_every": 8},
    "IO b/8": {"group_share": 0.125},
    "IO by task": {"overcondition": False},
    "O": {"remediation": "overconditioned"},
    "per task": {"remediation": "per_task"},
    "full": {"remediation": "per_task", "task_streams": "separate"},
}


def make_data(n_rows: int, n_tasks: int, n_groups: int):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 1000)).astype(np.float32)
    Y = (rng.random((n_rows, n_tasks)) < 0.3 / n_tasks).astype(np.float32)
    return X, Y, (rng.random((n_rows, n_groups)) < 0.3).astype(float)


def seconds(data, epochs: int, settings: dict) -> float:
    X, Y, A = data
    model = MinDiffIOClassifier(max_epochs=epochs, max_restarts=0, lr=0.01, random_state=0)
    model.set_params(**settings)
    start = time.process_time()
    model.fit(X, Y, sensitive_features=A)
    return time.process_time() - start


def step_times(data, methods: dict, n_steps: int, repeats: int) -> dict[str, float]:
    """Milliseconds a step."""
    shortest: dict[str, list[float]] = {name: [np.inf, np.inf] for name in methods}
    for _ in range(repeats):
        for name, settings in methods.items():
            for k, epochs in enumerate((1, 4)):
                shortest[name][k] = min(shortest[name][k], seconds(data, epochs, settings))
    return {n: 1e3 * (four - one) / (3 * n_steps) for n, (one, four) in shortest.items()}


def run(batch_size: int, n_steps: int, repeats: int, sizes, names: list[str]) -> None:
    print(f"\nbatch {batch_size}, {n_steps} steps an epoch; ratio to no remediation")
    print(f"  {'T':>3s} {'G':>3s} {'plain ms':>9s} " + " ".join(f"{m:>14s}" for m in names))
    columns: dict[str, list[float]] = {name: [] for name in names}
    for n_tasks, n_groups in sizes:
        data = make_data(batch_size * n_steps, n_tasks, n_groups)
        methods = {"plain": {"remediation": None}} | {name: METHODS[name] for name in names}
        if n_tasks * n_groups >= 100:
            methods.pop("full", None)
        methods = {k: {"batch_size": batch_size} | v for k, v in methods.items()}
        times = step_times(data, methods, n_steps, repeats)
        cells = []
        for name in names:
            ratio = times["plain"] / times[name] if name in times else np.nan
            columns[name].append(ratio)
            cells.append(f"{ratio:14.2f}" if np.isfinite(ratio) else " " * 14)
        print(f"  {n_tasks:3d} {n_groups:3d} {times['plain']:9.2f} " + " ".join(cells), flush=True)
    flat = [
        np.nanmin(v) / np.nanmax(v) if np.isfinite(v).any() else np.nan for v in columns.values()
    ]
    print(f"  {'slowest / fastest':17s} " + " ".join(f"{value:14.2f}" for value in flat))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[128, 512])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--quick", action="store_true", help="three sizes, without full streams")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    sizes, batch_sizes, names = SIZES, arguments.batch_sizes, arguments.methods
    if arguments.quick:
        sizes, batch_sizes = ((1, 1), (10, 4), (100, 10)), batch_sizes[-1:]
        names = [name for name in names if name != "full"]
    for batch_size in batch_sizes:
        run(batch_size, arguments.steps, arguments.repeats, sizes, names)


if __name__ == "__main__":
    main()
