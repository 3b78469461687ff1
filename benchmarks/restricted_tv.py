"""How far permutations by ICP and CP with estimated densities are from the oracle's.

    OMP_NUM_THREADS=1 python benchmarks/restricted_tv.py            # about 13 minutes on one core
    OMP_NUM_THREADS=1 python benchmarks/restricted_tv.py --trials 3 --noise 0 10

The set-up of the FairICP paper, section 3.1.1 (figure 2): K0 relevant and K irrelevant sensitive
features, omega = .6, 200 rows for the density and 200 others for the evaluation. ICP estimates Y
given A by LASSO (least squares at K0 = 1, K = 0), CP estimates A given Y by graphical LASSO
(empirical covariance at K0 = 1, K = 0).

The distributions are compared on the original order and the n (n - 1) / 2 swaps of it alone, each
normalised over these. "TV" is half the sum of absolute differences, in [0, 1], mean (standard
error) over trials. "log10" is the median of log10 of their mean, the scale of the paper's figure,
which is 2 / 19,901 of the total variation.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from fairsk.datasets import make_fairicp_permutation
from fairsk.independence import Conditional, KnownGaussianDensity, LinearGaussianDensity


def restricted_distribution(conditional: Conditional, target: np.ndarray) -> np.ndarray:
    """Probabilities of the original order and of each swap, among these."""
    i, j = np.triu_indices(conditional.n_rows, k=1)
    return softmax(np.append(0.0, conditional.log_odds(target, i, j, i, j)))


def one_trial(n_relevant: int, n_noise: int, n: int, omega: float, seed: int) -> dict[str, float]:
    settings = {"n_relevant": n_relevant, "n_noise": n_noise, "omega": omega, "theta_state": seed}
    train = make_fairicp_permutation(n, **settings, random_state=2 * seed)
    test = make_fairicp_permutation(n, **settings, random_state=2 * seed + 1)
    A, y = test.sensitive_features, test.target
    oracle = KnownGaussianDensity(lambda a: a @ test.target_coef, test.target_scale)
    truth = restricted_distribution(oracle.condition(A), y)
    simple = n_relevant == 1 and n_noise == 0
    icp = LinearGaussianDensity(penalty=None if simple else "lasso")
    cp = LinearGaussianDensity(covariance="empirical" if simple else "graphical_lasso")
    result = {}
    with warnings.catch_warnings():
        # Single folds of the graphical LASSO stop before they converge; the chosen fit counts.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        icp.fit(train.sensitive_features, train.target)
        cp.fit(train.target, train.sensitive_features)
    for name, estimated in (
        ("ICP", restricted_distribution(icp.condition(A), y)),
        ("CP", restricted_distribution(cp.condition(y), A)),
        ("none", np.full(len(truth), 1 / len(truth))),
    ):
        result[name] = 0.5 * float(np.abs(estimated - truth).sum())
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--relevant", nargs="+", type=int, default=[1, 5, 10])
    parser.add_argument("--noise", nargs="+", type=int, default=[0, 5, 10, 20, 50, 100])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--omega", type=float, default=0.6)
    options = parser.parse_args()
    n_orders = options.rows * (options.rows - 1) / 2 + 1
    methods = ("ICP", "CP", "none")
    print("none: every order is equally likely, the permutation that ignores Y")
    print(f"{'K0':>4}{'K':>5}" + "".join(f"{m + ' TV':>17}" for m in methods), end="")
    print("".join(f"{m + ' log10':>12}" for m in methods[:2]) + f"{'ICP < CP':>10}{'seconds':>9}")
    for n_relevant in options.relevant:
        for n_noise in options.noise:
            start = time.process_time()
            trials = [
                one_trial(n_relevant, n_noise, options.rows, options.omega, seed)
                for seed in range(options.trials)
            ]
            tv = {m: np.array([trial[m] for trial in trials]) for m in methods}
            error = {m: tv[m].std(ddof=1) / np.sqrt(len(tv[m])) for m in methods}
            line = "".join(f"{f'{tv[m].mean():.3f} ({error[m]:.3f})':>17}" for m in methods)
            logs = "".join(
                f"{np.median(np.log10(2 * tv[m] / n_orders)):>12.2f}" for m in methods[:2]
            )
            wins = f"{int((tv['ICP'] < tv['CP'] - 1e-9).sum())}/{len(trials)}"
            seconds = time.process_time() - start
            print(f"{n_relevant:>4}{n_noise:>5}{line}{logs}{wins:>10}{seconds:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
