"""Time, certificate and memory of the plug-in solver from 50,000 to 2,000,000 rows.

    python benchmarks/solver_scale.py [--quick] [--path]

Demographic parity within 0.02. "aware" problems see the group (a sparse basis with one
entry a row), "blind" ones a float32 probability of each group. CPU seconds are those of
the whole process; memory is the input and the peak of what the solver allocates, as a
multiple of the input, from a second run under tracemalloc. --quick stops at 500,000 rows
and 16 groups.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
from scipy import sparse

from fairsk.solvers import solve_plug_in, solve_plug_in_path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "_reference"))
from naive_plug_in import grid_search, whole_program

TOLERANCE = 0.02
N_RUNS = 7


def make_problem(n, n_groups, kind, seed=0):
    """Return scores, basis and contrasts of a demographic parity problem."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(n_groups, 3.0))
    groups = rng.choice(n_groups, n, p=shares)
    features = rng.normal(size=n) + rng.normal(scale=0.8, size=n_groups)[groups]
    scores = 1 / (1 + np.exp(-1.3 * features)) - 0.5
    if kind == "aware":
        shares = np.bincount(groups, minlength=n_groups) / n
        entries = 1 / shares[groups], groups.astype(np.int32), np.arange(n + 1, dtype=np.int32)
        return scores, sparse.csr_array(entries, shape=(n, n_groups)), np.eye(n_groups) - shares
    basis = np.empty((n, n_groups), dtype=np.float32)
    for start in range(0, n, 100_000):
        own = groups[start : start + 100_000]
        logits = np.log(shares) + rng.normal(scale=0.7, size=(len(own), n_groups))
        logits[np.arange(len(own)), own] += 2.0
        probabilities = np.exp(logits)
        basis[start : start + len(own)] = probabilities / probabilities.sum(1, keepdims=True)
    shares = basis.mean(axis=0, dtype=np.float64)
    basis /= shares.astype(np.float32)
    return scores, basis, np.eye(n_groups) - shares / shares.sum()


def timed(function, *args, **kwargs):
    """Return the result and the CPU seconds."""
    start = time.process_time()
    result = function(*args, **kwargs)
    return result, time.process_time() - start


def memory(problem, bounds):
    """Return input plus peak allocation, as a multiple of the input."""
    scores, basis, _ = problem
    parts = [basis] if isinstance(basis, np.ndarray) else [basis.data, basis.indices, basis.indptr]
    size = scores.nbytes + sum(part.nbytes for part in parts)
    tracemalloc.start()
    solve_plug_in(*problem, *bounds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return 1 + peak / size


def scale_rows(sizes, group_counts):
    """Yield one line per problem size."""
    yield "rows     groups kind   cpu s    gap      violation  randomised  memory / input"
    for n in sizes:
        for n_groups in group_counts:
            for kind in ("aware", "blind"):
                problem = make_problem(n, n_groups, kind)
                bounds = -TOLERANCE, TOLERANCE
                solution, seconds = timed(solve_plug_in, *problem, *bounds)
                yield (
                    f"{n:<8} {n_groups:>6} {kind:<6} {seconds:>5.2f}  {abs(solution.gap):.1e}"
                    f"  {solution.violation:.1e}  {solution.n_randomized:>10}"
                    f"  {memory(problem, bounds):>14.2f}"
                )


def whole_rows(group_counts):
    """Yield the whole linear program by HiGHS at 50,000 rows."""
    yield "whole linear program (HiGHS), 50000 rows: cpu s, objective minus ours"
    for n_groups in group_counts:
        problem = make_problem(50_000, n_groups, "blind")
        limit = np.full(n_groups, TOLERANCE)
        (objective, _), seconds = timed(whole_program, *problem, -limit, limit)
        ours = solve_plug_in(*problem, -limit, limit).objective
        yield f"{n_groups:>6} groups  {seconds:>6.2f}  {objective - ours:+.1e}"


def grid_rows():
    """Yield the grid search over the multipliers of four groups."""
    problem = make_problem(5_000, 4, "blind")
    limit = np.full(4, TOLERANCE)
    grid = np.linspace(-1.0, 1.0, 11)
    best, seconds = timed(grid_search, *problem, -limit, limit, grid)
    solution, own = timed(solve_plug_in, *problem, -limit, limit)
    found = "no feasible point" if best is None else f"objective {best:.6f}"
    yield f"grid search, 5000 rows, 4 groups, {len(grid) ** 4} points: {seconds:.2f} s, {found}"
    yield f"ours: {own:.3f} s, objective {solution.objective:.6f}"


def best_run(function, *args, **kwargs):
    """Return the result and the least CPU seconds: other work on the machine only adds."""
    runs = [timed(function, *args, **kwargs) for _ in range(N_RUNS)]
    return runs[-1][0], min(seconds for _, seconds in runs)


def path_rows(cases):
    """Yield the path of 20 tolerances, as a multiple of one solution."""
    title = "path of 20 tolerances (0.001 to 0.1), best of"
    yield f"{title} {N_RUNS} runs: cpu s, multiple of one solution"
    yield "rows     groups kind     one   exact          worst gap   smoothed       worst gap"
    levels = [(-level, level) for level in np.linspace(0.001, 0.1, 20)]
    for n, n_groups, kind in cases:
        problem = make_problem(n, n_groups, kind)
        _, one = best_run(solve_plug_in, *problem, -TOLERANCE, TOLERANCE)
        line = f"{n:<8} {n_groups:>6} {kind:<6} {one:>5.2f}"
        for exact in (True, False):
            path, seconds = best_run(solve_plug_in_path, *problem, levels, exact=exact)
            worst = max(abs(point.gap) for point in path)
            line += f"   {seconds:>5.2f} ({seconds / one:>4.1f}x)  {worst:>9.0e}"
        yield line


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="500,000 rows and 16 groups at most")
    parser.add_argument("--path", action="store_true", help="only the paths of tolerances")
    options = parser.parse_args()
    quick = options.quick
    sizes = [50_000, 500_000] if quick else [50_000, 500_000, 2_000_000]
    counts = [2, 4, 16] if quick else [2, 4, 16, 64]
    cases = [(n, k, kind) for n in sizes for k in (4, 16) for kind in ("aware", "blind")]
    tables = [] if options.path else [scale_rows(sizes, counts), whole_rows(counts), grid_rows()]
    for rows in [*tables, path_rows(cases)]:
        for line in rows:
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
