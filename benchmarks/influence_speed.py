"""Seconds and memory of stage one of FairIF on 60,000 rows and a network of 50,370 parameters.

    OMP_NUM_THREADS=1 FAIRSK_DATA=folder python benchmarks/influence_speed.py    # a minute or two
    OMP_NUM_THREADS=1 FAIRSK_DATA=folder python benchmarks/influence_speed.py --quick

MNIST, odd against even digits, groups below and from 5 on; TPR and TNR are balanced. The rows:

- training: epochs of Adam, batches of 128, of the network that stage one then looks at;
- gradients of the gaps, scores, inverse solve, forward pass, weights: stage one, part by part, for
  the curvature of all rows and of some, drawn by how much they bend the loss;
- per-sample gradients: the forward pass done by vmap(grad) instead, and with it the whole of stage
  one, the same solver and all else unchanged.

Times are CPU seconds, the median of three runs each. Gradients, solver and forward pass are warmed
up on a few rows: torch loads parts of itself on first use.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.func import functional_call, grad, vmap

from fairsk import FairICPClassifier, trained_model
from fairsk.base import SensitiveFeaturesWarning
from fairsk.curvature import solve_damped
from fairsk.reweighting._rate_gaps import RateGaps, Surrogate, resolve_targets
from fairsk.solvers import solve_least_change
from fairsk.utils import GroupEncoder

N_EPOCHS, N_VALIDATION, WEIGHT_DECAY, DAMPING = 10, 5_000, 1e-3, 1e-2
MAX_ROWS = (None, 20_000, 10_000, 5_000)


def digits(n_rows: int) -> tuple:
    folder = os.environ.get("FAIRSK_DATA")
    path = Path(folder or ".") / "mnist.npz"
    if not path.is_file():
        raise SystemExit(f"Set FAIRSK_DATA to the folder of mnist.npz; {path} is not there.")
    with np.load(path) as data:
        X = np.concatenate([data["x_train"], data["x_test"]]).reshape(-1, 784)
        digit = np.concatenate([data["y_train"], data["y_test"]])
    X = (X / 255).astype(np.float32)
    rows = np.random.default_rng(0).permutation(len(X))[: n_rows + N_VALIDATION]
    return X[rows], (digit[rows] % 2).astype(int), digit[rows] < 5


def timed(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Median CPU seconds of some runs, and the last result."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)), result


def train(X: np.ndarray, y: np.ndarray) -> Any:
    network = FairICPClassifier(
        lambda n_inputs, n_outputs: torch.nn.Sequential(
            torch.nn.Linear(n_inputs, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)
        ),
        mu=0.0,
        max_epochs=N_EPOCHS,
        weight_decay=WEIGHT_DECAY,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SensitiveFeaturesWarning)
        return network.fit(X, y)


def by_per_sample_gradients(model: Any, X: np.ndarray, y: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Gradient of every row's loss by vmap, times the solutions; chunks of 500 rows."""
    values = {name: value.detach() for name, value in model.module.named_parameters()}
    steps = torch.as_tensor(u.T, dtype=torch.float32)

    def loss(p: dict, row: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        logits = functional_call(model.module, p, row[None])
        return torch.nn.functional.cross_entropy(logits, label[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))
    parts = []
    for start in range(0, len(y), 500):
        rows, labels = torch.as_tensor(X[start : start + 500]), torch.as_tensor(y[start:][:500])
        gradients = each(values, rows, labels)
        flat = torch.cat([gradients[name].flatten(1) for name in model.names], dim=1)
        parts.append(flat @ steps)
    return -torch.cat(parts).double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="6,000 rows")
    n = 6_000 if parser.parse_args().quick else 60_000
    X_all, y_all, a_all = digits(n)
    X, y, X_val, y_val = X_all[:n], y_all[:n], X_all[n:], y_all[n:]
    print(f"{n:,} rows, {torch.get_num_threads()} thread(s), torch {torch.__version__}")
    train_s, network = timed(lambda: train(X, y))
    print(f"training, {N_EPOCHS} epochs{'':24}{train_s:8.2f} s")

    groups = GroupEncoder().fit_transform(a_all[n:].tolist())
    gaps = RateGaps(resolve_targets(("tpr", "tnr")), y_val, groups, None, "auto", Surrogate())
    trained = trained_model(network)
    model = trained.model
    basis, _ = gaps.derivatives(trained.scores(X_val))
    few = trained.objective(X[:64], y[:64])
    gradients = model.pull_back(X_val[:64], basis[:64])
    few.loss_derivatives(solve_damped(few, gradients, damping=1.0, solver="cg").vectors)
    by_per_sample_gradients(model, X[:64], y[:64], gradients)

    gradients_s, gradients = timed(lambda: model.pull_back(X_val, basis))
    objective = trained.objective(X, y)
    scores_s, _ = timed(lambda: trained.scores(X))
    _ = objective.scores  # kept by the objective, and timed above
    found, totals = {}, {}
    for max_rows in (k for k in MAX_ROWS if k is None or k < n):
        settings = {"damping": DAMPING, "tol": 1e-2, "max_rows": max_rows, "random_state": 0}
        solve_s, solution = timed(
            lambda s=settings: solve_damped(objective, gradients, solver="cg", **s)
        )
        pass_s, slopes = timed(lambda u=solution: objective.loss_derivatives(u.vectors))
        A, d = -slopes.T, -gaps.soft(trained.scores(X_val))
        weights_s, _ = timed(lambda A=A, d=d: solve_least_change(A, d, 0.1, np.full(n, -1 / n)))
        found[max_rows] = A
        totals[max_rows] = gradients_s + scores_s + solve_s + pass_s + weights_s
        print(f"\ncurvature of {max_rows or n:,} rows")
        print(f"  gradients of the gaps{'':21}{gradients_s:8.2f} s")
        print(f"  scores of all rows{'':24}{scores_s:8.2f} s")
        print(
            f"  inverse solve, 2 right-hand sides{'':9}{solve_s:8.2f} s   "
            f"({solution.n_iterations} products, residual {solution.residuals.max():.1e})"
        )
        print(f"  forward pass over all rows{'':16}{pass_s:8.2f} s")
        print(f"  weights with the box{'':22}{weights_s:8.2f} s")
        total = totals[max_rows]
        print(f"  stage one{'':33}{total:8.2f} s   {total / train_s:.2f} x training")
        correlation = np.corrcoef(found[None].ravel(), A.ravel())[0, 1]
        print(f"  correlation with the curvature of all rows{correlation:8.3f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"\npeak memory of the process up to here{'':7}{peak:8.2f} GB")

    samples_s, by_rows = timed(lambda: by_per_sample_gradients(model, X, y, solution.vectors))
    error = np.abs(by_rows - A.T).max() / np.abs(by_rows).max()
    print(f"per-sample gradients instead of the pass{'':4}{samples_s:8.2f} s   ", end="")
    print(f"{samples_s / pass_s:.1f} x the forward pass, largest difference {error:.1e}")
    for max_rows, total in totals.items():
        slow = total - pass_s + samples_s
        print(
            f"  stage one with them, curvature of {max_rows or n:6,} rows{slow:8.2f} s   "
            f"{slow / total:.1f} x ours"
        )


if __name__ == "__main__":
    main()
