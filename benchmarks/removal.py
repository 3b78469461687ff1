"""What is left of a sensitive feature after removal, and of the task.

    OMP_NUM_THREADS=1 FAIRSK_DATA=folder python benchmarks/removal.py    # some minutes on one core

- faces: FairFace thumbnails, which know no identities. A small network that learned 14 kinds of
  people, race and gender, with cosine margins stands in for a face recogniser; its embeddings are
  given. Task: race; sensitive: gender. Half of the rows train, a sixth validates, a third tests.
- adult: 3,000 rows train, 3,000 test and 3,000 validate. Task: income; sensitive: sex (two of three
  are men).

Fresh classifiers of the task and of the sensitive feature are trained on the new features of the
training rows; all figures but the first two gaps are of test rows, in percent, mean (standard
error) over seeds. "task" is the accuracy of logistic regression and the gaps are men less women, on
training, validation and test rows; "linear", "network" and "trees" are accuracies for the sensitive
feature, which hold against "majority".
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import CosineMarginClassifier, SensitiveInformationRemover
from fairsk.datasets import load_adult, load_fairface

METHODS: dict[str, dict | None] = {
    "as given": None,
    "alpha 0": {"alpha": 0.0},
    "confusion 1": {"alpha": 1.0},
    "confusion 3": {"alpha": 3.0},
    "published 1": {"alpha": 1.0, "objective": "as_published"},
    "published 3": {"alpha": 3.0, "objective": "as_published"},
}
Part = tuple[np.ndarray, np.ndarray, np.ndarray]


def cnn(n_inputs: int, n_outputs: int) -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(
        nn.Unflatten(1, (1, 32, 32)),
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(2048, 64), nn.ReLU(), nn.Linear(64, n_outputs),
    )  # fmt: skip


def faces(seed: int) -> tuple[Part, Part, Part]:
    data = load_fairface(target="race", sensitive_features="gender")
    X, y, s = data.data - np.float32(0.5), data.target, data.sensitive_features[:, 0].astype(str)
    order = np.random.default_rng(seed).permutation(len(y))
    train, val, test = np.split(order, [len(y) // 2, 2 * len(y) // 3])
    kind = np.char.add(y.astype(str), s)
    recogniser = CosineMarginClassifier(
        cnn, embedding_size=32, max_epochs=10, batch_size=64, scale=30.0, random_state=seed
    ).fit(X[train], kind[train], sensitive_features=s[train])
    X = recogniser.transform(X)
    return tuple((X[rows], y[rows], s[rows]) for rows in (train, val, test))


def adult(seed: int) -> tuple[Part, Part, Part]:
    X, y, A = load_adult(sensitive_features="sex", return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))[:9_000]
    X, y, s = X[order], y[order], np.char.lower(A[order, 0].astype(str))
    X = StandardScaler().fit(X[:3_000]).transform(X)
    train, test, val = ((X[k:][:3_000], y[k:][:3_000], s[k:][:3_000]) for k in (0, 3_000, 6_000))
    return train, val, test


def auditors(seed: int) -> dict[str, Any]:
    network = MLPClassifier((64, 64), alpha=0.1, max_iter=40, random_state=seed)
    return {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
        "network": make_pipeline(StandardScaler(), network),
        "trees": HistGradientBoostingClassifier(max_iter=50, random_state=seed),
    }


def gap(right: np.ndarray, s: np.ndarray) -> float:
    return right[s == "male"].mean() - right[s == "female"].mean()


def measure(given: dict | None, parts: tuple[Part, ...], seed: int, epochs: int) -> list[float]:
    if given is not None:
        X, y, s = parts[0]
        remover = SensitiveInformationRemover(
            n_components=16, max_epochs=epochs, random_state=seed, **given
        ).fit(X, y, sensitive_features=s)
        parts = tuple((remover.transform(X), y, s) for X, y, s in parts)
    (X, y, s), _, (test_X, test_y, test_s) = parts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        task = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)).fit(X, y)
        found = [task.score(test_X, test_y)]
        found += [gap(task.predict(X) == y, s) for X, y, s in parts]
        for auditor in auditors(seed).values():
            found.append(auditor.fit(X, s).score(test_X, test_s))
    values, counts = np.unique(s, return_counts=True)
    found.append(np.mean(test_s == values[counts.argmax()]))
    return [100 * value for value in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    gaps = ("train gap", "val gap", "test gap")
    heads = ("task", *gaps, "linear", "network", "trees", "majority")
    for make in (faces, adult):
        print(f"\n{make.__name__}, {arguments.seeds} seeds, {arguments.epochs} epochs")
        print(f"{'':13}" + "".join(f"{head:>13}" for head in heads), flush=True)
        data = [make(seed) for seed in range(arguments.seeds)]
        for name, given in METHODS.items():
            rows = np.array(
                [measure(given, parts, seed, arguments.epochs) for seed, parts in enumerate(data)]
            )
            mean, error = rows.mean(axis=0), rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
            cells = [f"{m:6.1f} ({e:.1f})" for m, e in zip(mean, error, strict=True)]
            print(f"{name:13}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
