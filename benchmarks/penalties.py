"""Penalties on unfairness: gaps on training, validation and test rows, and what counters the rest.

    FAIRSK_DATA=folder python benchmarks/penalties.py            # some 17 minutes on one core
    FAIRSK_DATA=folder python benchmarks/penalties.py --quick    # two minutes

The shape of table 1 of "Technical Challenges for Training Fair Neural Networks", on data at hand:

- Adult: income, groups by sex; a wide MLP on 1,500 rows.
- CI-MNIST: odd or even, groups by the colour of the background, which tells the label of 85 % of
  the rows; a wide MLP on 2,000 images of 14 x 14 x 3.
- FairFace: gender on grey thumbnails, seven races; a small CNN on 1,000 faces. It stands in for
  faces: there are no identities.
- HateXplain: two labels, eight groups that overlap (`groups="independent"`); an MLP on 2,000 posts.

Two ways to train: "interpolating" runs many epochs without weight decay; "restrained" has weight
decay and early stopping, by the loss plus alpha times the penalty on rows of its own. "holdout" has
the penalty on a fifth of the rows, which the loss does not see.

Every figure is a mean over seeds, on training, validation and test rows: the penalty's own value;
the gap in the area under the ROC curve, which the paper reports; and the average odds difference of
the decisions at one half. In brackets the standard error of the test figure. Gaps are the largest
minus the smallest group, the mean over features and tasks where there are several. "acc" is the
accuracy on training and test rows, "low" the lowest accuracy of a group on test rows.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fairsk import FairPenaltyClassifier
from fairsk.datasets import load_adult, load_fairface, load_hatexplain, make_ci_mnist
from fairsk.neural import FewRowsWarning

# Penalties of the paper and their weights; the larger one is also trained otherwise.
ALPHAS: dict[str, tuple[float, float]] = {
    "equal_loss": (0.3, 1.0),
    "equalized_odds": (0.3, 1.0),
    "equalized_odds_as_published": (0.3, 1.0),
    "disparate_impact": (0.1, 0.3),
    "min_max": (0.5, 1.0),
    "auc_gap": (0.3, 1.0),
}
HOLDOUT = {"penalty_on": "holdout", "holdout_fraction": 0.2}
STOPPING = {"early_stopping": True, "validation_fraction": 0.2, "patience": 5}
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Problem:
    """Data by split, a network that can interpolate its training rows, and how it is restrained.

    `scale` multiplies alpha (but that of min_max): where the task is hard or features are many, all
    networks are constant otherwise.
    """

    splits: dict[str, tuple[Any, np.ndarray, np.ndarray]]
    network: FairPenaltyClassifier
    restraint: dict[str, Any]
    scale: float = 1.0


# ------------------------------------------------------------------------ data


def split_rows(
    X: Any, y: np.ndarray, A: np.ndarray, sizes: tuple[int, int, int], seed: int
) -> dict:
    """Training, validation and test rows, with the same shares of labels and of the first group."""
    label = y if y.ndim == 1 else y.max(axis=1)
    cells = np.unique(A[:, 0].astype(str), return_inverse=True)[1] * (label.max() + 1) + label
    n_train, n_val, n_test = sizes
    rest, test = train_test_split(
        np.arange(len(y)), test_size=n_test, stratify=cells, random_state=seed
    )
    train, val = train_test_split(
        rest, train_size=n_train, test_size=n_val, stratify=cells[rest], random_state=seed
    )
    rows = dict(zip(SPLITS, (train, val, test), strict=True))
    return {name: (X[chosen], y[chosen], A[chosen]) for name, chosen in rows.items()}


def adult(quick: bool, seed: int) -> Problem:
    X, y, A = load_adult(return_X_y=True, sensitive_features=("sex",))
    X = StandardScaler().fit_transform(np.nan_to_num(np.asarray(X, dtype=float)))
    return Problem(
        split_rows(X.astype(np.float32), y, A, (1_500, 5_000, 20_000), seed),
        network((256, 256), epochs=20 if quick else 80),
        {"weight_decay": 1e-2, "max_epochs": 40},
    )


def ci_mnist(quick: bool, seed: int) -> Problem:
    X, y, A = make_ci_mnist(9_000, side=14, random_state=seed)
    return Problem(
        split_rows(X, y, A, (2_000, 2_000, 5_000), seed),
        network((256,), epochs=15 if quick else 40),
        {"weight_decay": 1e-3, "max_epochs": 40},
    )


def fairface(quick: bool, seed: int) -> Problem:
    X, y, A = load_fairface(return_X_y=True)
    return Problem(
        split_rows(X - np.float32(0.5), y, A, (1_000, 400, 700), seed),
        network(None, epochs=6 if quick else 25, module=cnn, batch_size=100, lr=3e-3),
        {"weight_decay": 1e-3, "max_epochs": 25},
        scale=0.3,
    )


def hatexplain(quick: bool, seed: int) -> Problem:
    X, y, A = load_hatexplain(return_X_y=True)
    return Problem(
        split_rows(sparse.csr_matrix(X), y, A, (2_000, 4_000, 12_000), seed),
        network((128,), epochs=15 if quick else 25, groups="independent"),
        {"weight_decay": 1e-3, "max_epochs": 25},
        scale=0.2,
    )


def network(layers: Any, *, epochs: int, **changed: Any) -> FairPenaltyClassifier:
    settings = {"max_epochs": epochs, "batch_size": 128, "lr": 1e-3} | changed
    return FairPenaltyClassifier(hidden_layer_sizes=layers or (), random_state=0, **settings)


def cnn(n_inputs: int, n_outputs: int) -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(
        nn.Unflatten(1, (1, 32, 32)),
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 32), nn.ReLU(), nn.Linear(32, n_outputs),
    )  # fmt: skip


# --------------------------------------------------------------------- figures


def figures(model: FairPenaltyClassifier, rows: tuple) -> list[float]:
    """Accuracy, the lowest of a group, the penalty, the AUC gap and the average odds difference."""
    X, y, A = rows
    scores, predicted = model.decision_function(X), model.predict(X)
    y2, scores, predicted = (v.reshape(len(A), -1) for v in (y, scores, predicted))
    lowest, auc, odds = [], [], []
    for column in A.T:
        groups = [column == value for value in np.unique(column)]
        lowest.append(min((predicted[g] == y2[g]).mean() for g in groups))
        for label, score, decision in zip(y2.T, scores.T, predicted.T, strict=True):
            auc.append(np.ptp([roc_auc_score(label[g], score[g]) for g in groups]))
            rates = [[decision[g & (label == v)].mean() for g in groups] for v in (0, 1)]
            odds.append(np.mean([np.ptp(rate) for rate in rates]))
    value = model.penalty_value(X, y, sensitive_features=A)
    accuracy = float((predicted == y2).mean())
    return [accuracy, min(lowest), value, float(np.mean(auc)), float(np.mean(odds))]


def trained(problem: Problem, **settings: Any) -> FairPenaltyClassifier:
    X, y, A = problem.splits["train"]
    with warnings.catch_warnings():
        # Groups of few rows may lack a label in the training rows: left out, as documented.
        warnings.simplefilter("ignore", FewRowsWarning)
        return clone(problem.network).set_params(**settings).fit(X, y, sensitive_features=A)


def of_splits(model: FairPenaltyClassifier, problem: Problem) -> np.ndarray:
    """Figures of the three splits, shape (3, 5)."""
    return np.array([figures(model, problem.splits[name]) for name in SPLITS])


def line(name: str, runs: list[np.ndarray]) -> None:
    values = np.array(runs)
    mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
    accuracy = f"{mean[0, 0]:8.3f}{mean[2, 0]:6.3f}{mean[2, 1]:7.3f}"
    cells = []
    for k in (2, 3, 4):
        three = "".join(f"{v:7.3f}" for v in mean[:, k])
        cells.append(f"{three} ({error[2, k]:.3f})")
    print(f"{name:38}{accuracy} {'  '.join(cells)}", flush=True)


def table(title: str, make: Callable, arguments: argparse.Namespace) -> None:
    started = time.process_time()
    problems = [make(arguments.quick, seed) for seed in range(arguments.seeds)]
    print(f"\n{title}, {arguments.seeds} seeds")
    print(f"{'':38}{'acc':>14}{'low':>7}{'penalty':>22}{'AUC gap':>31}{'odds difference':>31}")
    print(f"{'':38}{'train':>8}{'test':>6}{'test':>7}{'   train    val   test        ' * 3}")
    restraints = [STOPPING | problem.restraint for problem in problems]
    # Without a penalty the network is the same for all; only what is measured of it differs.
    plain = [trained(problem, alpha=0.0) for problem in problems]
    calm = [
        trained(problem, alpha=0.0, **restraint)
        for problem, restraint in zip(problems, restraints, strict=True)
    ]
    for penalty, alphas in ALPHAS.items():
        if penalty not in arguments.only:
            continue
        print(penalty)
        scale = 1.0 if penalty == "min_max" else problems[0].scale
        low, high = (scale * alpha for alpha in alphas)

        def show(name: str, models: list, penalty: str = penalty) -> None:
            for model in models:
                model.set_params(penalty=penalty)
            runs = [of_splits(m, p) for m, p in zip(models, problems, strict=True)]
            line(f"  {name}", runs)

        def fit(restrained: bool = False, penalty: str = penalty, **settings: Any) -> list:
            return [
                trained(problem, penalty=penalty, **(restraint if restrained else {}), **settings)
                for problem, restraint in zip(problems, restraints, strict=True)
            ]

        show("no penalty", plain)
        show(f"alpha {low:g}", fit(alpha=low))
        show(f"alpha {high:g}", fit(alpha=high))
        show(f"alpha {high:g}, holdout", fit(alpha=high, **HOLDOUT))
        show("restrained", calm)
        show(f"restrained, alpha {high:g}", fit(True, alpha=high))
        show(f"restrained, alpha {high:g}, holdout", fit(True, alpha=high, **HOLDOUT))
    print(f"({time.process_time() - started:.0f} s)", flush=True)


PARTS = {
    "Adult": adult,
    "CI-MNIST": ci_mnist,
    "FairFace": fairface,
    "HateXplain": hatexplain,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few epochs, two seeds and penalties")
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--data", choices=list(PARTS), nargs="*", default=list(PARTS))
    parser.add_argument("--only", choices=list(ALPHAS), nargs="*", help="penalties")
    arguments = parser.parse_args()
    arguments.seeds = arguments.seeds or (2 if arguments.quick else 3)
    arguments.only = arguments.only or list(ALPHAS)[: 2 if arguments.quick else None]
    for name in arguments.data:
        table(name, PARTS[name], arguments)


if __name__ == "__main__":
    main()
