"""Fronts of fairness against ranking for MinDiff's variants, on HateXplain and MLMA.

    OMP_NUM_THREADS=1 python benchmarks/mindiff_fronts.py             # about half an hour
    OMP_NUM_THREADS=1 python benchmarks/mindiff_fronts.py --quick     # three weights, two runs
    OMP_NUM_THREADS=1 python benchmarks/mindiff_fronts.py --data mlma --weights 0 0.05 0.2

The paper's settings: 1,000 hashed features, 64 hidden units, 25 epochs, learning rate .1, Gaussian
kernel. In each run half of the rows train, a quarter validates and a quarter tests; the system's
threshold, one for all tasks, is set on the validation rows to a false positive rate of 20 %.

"auc" is the system's ROC AUC, followed by dEO = |FPR of the group - FPR of the others| of each
group, on the test rows; "+-" is half of the 95 % confidence interval (Student) over the runs.
"gain" pairs the runs: the mean over groups of dEO, less that without remediation.
FAIRSK_DATA names the folder with the files.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from fairsk import MinDiffIOClassifier
from fairsk.datasets import load_hatexplain, load_mlma
from fairsk.metrics import overall_equal_opportunity_difference

LOADERS = {"hatexplain": load_hatexplain, "mlma": load_mlma}
METHODS = {
    "direct": {"remediation": "direct"},
    "per task": {"remediation": "per_task"},
    "O": {"remediation": "overconditioned"},
    "IO": {},
    "IO by gap": {"group_draw": "gap"},
    "IO by task": {"overcondition": False},
}
WEIGHTS = [0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
RATE = 0.2


def fit_once(data, method: str, weight: float, seed: int, epochs: int) -> np.ndarray:
    """System AUC and the dEO of each group, on the test quarter of the run."""
    X, Y, A = data
    order = np.random.default_rng(seed).permutation(len(Y))
    train, validation, test = np.split(order, [len(order) // 2, 3 * len(order) // 4])
    model = MinDiffIOClassifier(
        min_diff_weight=weight, max_epochs=epochs, random_state=seed, **METHODS[method]
    )
    # Dense once: the rows are few enough, and it is several times faster.
    model.fit(X[train].toarray(), Y[train], sensitive_features=A[train])
    model.set_params(thresholds="fpr", target_rate=RATE)
    model.calibrate_thresholds(X[validation], Y[validation])
    y = Y[test].max(axis=1)
    gaps = overall_equal_opportunity_difference(
        y, model.predict_system(X[test]), sensitive_features=A[test]
    )
    return np.array([roc_auc_score(y, model.system_score(X[test])), *gaps])


def half_width(runs: np.ndarray) -> np.ndarray:
    n = len(runs)
    return student.ppf(0.975, n - 1) * runs.std(axis=0, ddof=1) / np.sqrt(n)


def show(name: str, values: np.ndarray) -> None:
    print(f"  {name:22s} " + " ".join(f"{value:8.3f}" for value in values), flush=True)


def run(name: str, methods: list[str], weights: list[float], n_runs: int, epochs: int) -> None:
    try:
        bunch = LOADERS[name]()
    except FileNotFoundError as error:
        print(f"\n{name}: skipped, {error}")
        return
    data = bunch.data, bunch.target, bunch.sensitive_features
    negative = bunch.target.max(axis=1) == 0
    counts = (bunch.sensitive_features[negative] == 1).sum(axis=0)
    print(
        f"\n{name}: {len(negative)} rows, {bunch.target.shape[1]} tasks, {negative.sum()} rows "
        f"negative on all of them, {n_runs} runs, {epochs} epochs"
    )
    header = " ".join(f"{group[:8]:>8s}" for group in bunch.sensitive_feature_names)
    print(f"  {'':22s} {'auc':>8s} {header}")
    print(f"  {'negative rows':22s} {'':>8s} " + " ".join(f"{n:8d}" for n in counts))
    summary = []
    for method in methods:
        fronts: dict[float, np.ndarray] = {}
        for weight in weights:
            runs = [fit_once(data, method, weight, seed, epochs) for seed in range(n_runs)]
            fronts[weight] = np.array(runs)
            show(f"{method}, {weight:g}", fronts[weight].mean(axis=0))
            show("    +-", half_width(fronts[weight]))
        summary.append((method, fronts))
    print(f"\n  {'':22s} {'auc':>8s} {'mean dEO':>9s} {'gain':>8s} {'+-':>8s}")
    for method, fronts in summary:
        for weight, runs in fronts.items():
            gaps = runs[:, 1:].mean(axis=1)
            gains = gaps - fronts[weights[0]][:, 1:].mean(axis=1)
            values = (runs[:, 0].mean(), gaps.mean(), gains.mean(), float(half_width(gains)))
            show(f"{method}, {weight:g}", np.array(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=list(LOADERS), default=list(LOADERS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--weights", nargs="+", type=float, default=WEIGHTS)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    weights, runs = arguments.weights, arguments.runs
    if arguments.quick:
        weights, runs = [0.0, 0.1, 0.5], 2
    if weights[0] != 0:
        weights = [0.0, *weights]
    for name in arguments.data:
        run(name, arguments.methods, weights, runs, arguments.epochs)


if __name__ == "__main__":
    main()
