"""How often generalization_report calls fairness overfit where it is not, and where it is.

    python benchmarks/generalization_verdict.py [--repeats 1000]

Rows are drawn from known accuracies (or AUCs) of each group, so that the true gaps are known: a
"larger gap" is a false alarm where the held-out gap is not larger, and a detection where it is. The
naive rule calls a gap larger when the held-out gap exceeds the training gap by 5 points.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from fairsk import generalization_report

# Name: rows to train and test, accuracy of each group in either.
SETTINGS = {
    "no gap, large test": (4000, 4000, (0.8, 0.8), (0.8, 0.8)),
    "no gap, 234 test rows": (4000, 234, (0.8, 0.8), (0.8, 0.8)),
    "equal gaps of .1": (4000, 1000, (0.8, 0.7), (0.8, 0.7)),
    "both interpolated": (4000, 1000, (1.0, 1.0), (0.8, 0.8)),
    "four equal groups": (4000, 1000, (0.8,) * 4, (0.8,) * 4),
    "smaller gap on test": (4000, 1000, (0.9, 0.75), (0.8, 0.75)),
    "interpolated, test gap .05": (4000, 4000, (1.0, 1.0), (0.8, 0.75)),
    "interpolated, test gap .1": (4000, 1000, (1.0, 1.0), (0.8, 0.7)),
    "gap of .05 grows to .15": (4000, 1000, (0.9, 0.85), (0.8, 0.65)),
    "one of four, test gap .15": (4000, 1000, (1.0,) * 4, (0.8, 0.8, 0.8, 0.65)),
}


def draw(rng: np.random.Generator, n: int, accuracy: tuple, metric: str) -> tuple:
    """Labels, groups and answers of a model of the given accuracy (for AUC: of scores)."""
    group = rng.integers(0, len(accuracy), n)
    y = rng.integers(0, 2, n)
    p = np.asarray(accuracy)[group]
    if metric == "accuracy":
        return y, group.astype(str), np.where(rng.random(n) < p, y, 1 - y)
    # A share 2 p - 1 of the rows is ranked right, the others at random: the AUC is between.
    right = rng.random(n) < 2 * p - 1
    return y, group.astype(str), np.where(right, y + rng.random(n) / 2, 1.5 * rng.random(n))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    print(
        f"share of {repeats} samples called 'larger gap' at confidence .95, and by the naive rule"
    )
    print(f"{'setting':28s} {'metric':9s} {'truth':13s} {'verdict':>8s} {'naive':>6s}")
    start = time.process_time()
    for name, (n_train, n_test, train, test) in SETTINGS.items():
        larger = max(test) - min(test) > max(train) - min(train)
        for metric in ("accuracy", "roc_auc"):
            rng = np.random.default_rng(0)
            called = naive = 0
            for _ in range(repeats):
                parts = [draw(rng, n_train, train, metric), draw(rng, n_test, test, metric)]
                report = generalization_report(
                    {"train": parts[0][2], "test": parts[1][2]},
                    (None, *parts[0][:2]),
                    test=(None, *parts[1][:2]),
                    metric=metric,
                    n_resamples=1000,
                    min_group_size=0,
                )
                called += report.overfits()["predictions"]
                naive += report.tables["changes"][0]["change"] > 0.05
            truth = "larger" if larger else "not larger"
            shares = f"{called / repeats:8.3f} {naive / repeats:6.3f}"
            print(f"{name:28s} {metric:9s} {truth:13s} {shares}", flush=True)
    print(f"{time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
