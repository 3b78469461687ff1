"""Fronts of fairness against ranking for MinDiff's variants, on HateXplain and MLMA.

    OMP_NUM_THREADS=1 python benchmarks/mindiff_fronts.py             # about half an hour
    OMP_NUM_THREADS=1 python benchmarks/mindiff_fronts.py --quick     # three weights, two runs
    OMP_NUM_THREADS=1 python benchmarks/mindiff_fronts.py --data mlma --weights 0 0.05 0.2

The paper's settings: 1,000 hashed features, 64 hidden units, 25 epochs, learning rate .1, Gaussian
kernel. In each run half of the rows train, a quarter validates and a quarter tests; the system's
threshold, one for all tasks, is set on the validation rows to a false positive rate of 20 %.

"auc" is the system's ROC AUC, followed by dEO = |FPR of the group - FPR of the others| of each
group, on the test rows; "+-" is half of the 95 % confidence interval (Student) over the runs.
"gain" pairs the runs: the mean over groups of dEO, less that without remediation. Networks of
several tasks are scored twice: by the largest probability, as in the paper, and by noisy-or.

The last table compares fronts: the best mean AUC of the weights whose mean dEO is at most so much,
and the same less that of direct remediation, paired over the runs. "-" where no weight gets there.
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
COMBINATIONS = {"": "max", " noisy-or": "noisy_or"}
WEIGHTS = [0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
RATE = 0.2
# By method, with the combination; by weight; rows are runs, columns the AUC and groups' dEO.
Fronts = dict[str, dict[float, np.ndarray]]


def fit_once(data, method: str, weight: float, seed: int, epochs: int) -> dict[str, np.ndarray]:
    """System AUC and the dEO of each group, on the test quarter of the run, by combination."""
    X, Y, A = data
    order = np.random.default_rng(seed).permutation(len(Y))
    train, validation, test = np.split(order, [len(order) // 2, 3 * len(order) // 4])
    model = MinDiffIOClassifier(
        min_diff_weight=weight, max_epochs=epochs, random_state=seed, **METHODS[method]
    )
    # Dense once: the rows are few enough, and it is several times faster.
    model.fit(X[train].toarray(), Y[train], sensitive_features=A[train])
    y, found = Y[test].max(axis=1), {}
    for name, combination in COMBINATIONS.items():
        model.set_params(thresholds="fpr", target_rate=RATE, combination=combination)
        model.calibrate_thresholds(X[validation], Y[validation])
        gaps = overall_equal_opportunity_difference(
            y, model.predict_system(X[test]), sensitive_features=A[test]
        )
        found[method + name] = np.array([roc_auc_score(y, model.system_score(X[test])), *gaps])
        if model.n_tasks_ == 1:  # both are the same
            break
    return found


def half_width(runs: np.ndarray) -> np.ndarray:
    n = len(runs)
    return student.ppf(0.975, n - 1) * runs.std(axis=0, ddof=1) / np.sqrt(n)


def show(name: str, values: np.ndarray) -> None:
    print(f"  {name:24s} " + " ".join(f"{value:8.3f}" for value in values), flush=True)


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
    print(f"  {'':24s} {'auc':>8s} {header}")
    print(f"  {'negative rows':24s} {'':>8s} " + " ".join(f"{n:8d}" for n in counts))
    fronts: Fronts = {}
    for method in methods:
        for weight in weights:
            runs = [fit_once(data, method, weight, seed, epochs) for seed in range(n_runs)]
            for label in runs[0]:
                values = np.array([found[label] for found in runs])
                fronts.setdefault(label, {})[weight] = values
                show(f"{label}, {weight:g}", values.mean(axis=0))
                show("    +-", half_width(values))
    print(f"\n  {'':24s} {'auc':>8s} {'mean dEO':>8s} {'gain':>8s} {'+-':>8s}")
    for label, front in fronts.items():
        plain = front[weights[0]][:, 1:].mean(axis=1)
        for weight, values in front.items():
            gaps = values[:, 1:].mean(axis=1)
            row = values[:, 0].mean(), gaps.mean(), (gaps - plain).mean(), half_width(gaps - plain)
            show(f"{label}, {weight:g}", np.array(row))
    if "direct" in fronts:
        compare(fronts)


def best_at(front: dict[float, np.ndarray], level: float) -> np.ndarray | None:
    """AUCs of the runs at the weight that is best on average within a mean dEO."""
    within = [runs[:, 0] for runs in front.values() if runs[:, 1:].mean() <= level]
    return max(within, key=np.mean, default=None)


def compare(fronts: Fronts) -> None:
    plain = fronts["direct"][0.0][:, 1:].mean()
    levels = [round(plain - step, 3) for step in (0.0, 0.005, 0.01, 0.015, 0.02, 0.025)]
    print(f"\n  {'best auc at mean dEO':24s} " + " ".join(f"{'<=':>12s} {q:.3f}" for q in levels))
    for label, front in fronts.items():
        cells = []
        for level in levels:
            ours, direct = best_at(front, level), best_at(fronts["direct"], level)
            if ours is None:
                cells.append("-")
            elif direct is None or label == "direct":
                cells.append(f"{ours.mean():.3f}")
            else:
                gain = ours - direct
                cells.append(f"{ours.mean():.3f} {gain.mean():+.3f}±{half_width(gain):.3f}")
        print(f"  {label:24s} " + " ".join(f"{cell:>18s}" for cell in cells))


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
