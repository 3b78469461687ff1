"""Simulations 1 and 2 of the FairICP paper: what the way of making copies is worth.

    OMP_NUM_THREADS=1 python benchmarks/fairicp_simulations.py            # about nine minutes
    python benchmarks/fairicp_simulations.py --quick
    python benchmarks/fairicp_simulations.py --omegas 0.6 0.9 --runs 100  # the paper's figures

500 rows train and 400 test; the predictor is linear, the discriminator has three layers of 64.
"icp" uses the default density of Y given A, a mixture density network, "icp linear" a linear
Gaussian, as "cp" does of A given Y (with a shrunken covariance): both are of the right form here.
"icp flow" and "cp flow", on request, have the paper's flows. "fdl" draws from a flow of A
given Y, "oracle" permutes by the true density of Y given A. "loss" is the mean squared error, "kpc"
the kernel partial correlation of prediction and A given Y (on raw scales, as the paper's), "power"
the share of runs in which the test with the true density rejects equalized odds at .05. In
simulation 2 both look at the one column of A that matters, whereas training sees the noise as well.

The last columns are each method's loss, by interpolation over mu, at the KPC that the oracle
reaches with the second largest mu (lower is better), and that less the oracle's, with the standard
error by a bootstrap of the runs. Without a penalty (mu = 0) all methods are the same, fitted once.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.frozen import FrozenEstimator

from fairsk import FairICPRegressor
from fairsk.datasets import make_fairicp_simulation
from fairsk.independence import (
    InverseConditionalPermutation,
    KnownGaussianDensity,
    LinearGaussianDensity,
    MaskedAutoregressiveFlow,
    equalized_odds_test,
    kernel_partial_correlation,
)

# Variance of Y given X in simulation 1, which the paper does not give: the losses without fairness
# in its figure 3. In simulation 2 that is 1.
NOISE = {1: 2.0, 5: 15.0, 10: 45.0}
METHODS = ("oracle", "icp linear", "icp", "cp", "fdl")
N_BOOTSTRAP = 500
# The densities of the paper; "cp flow" evaluates it at every swap of the chain, which is slow.
FLOWS = ("icp flow", "cp flow")


def draw(simulation: int, n_dimensions: int, omega: float, run: int):
    """Training and test samples of one problem."""
    settings = {
        "simulation": simulation,
        "n_dimensions": n_dimensions,
        "omega": omega,
        "sigma": np.sqrt(NOISE.get(n_dimensions, 4.0 * n_dimensions)) if simulation == 1 else 1.0,
        "theta_state": run,
    }
    train = make_fairicp_simulation(500, random_state=2 * run, **settings)
    test = make_fairicp_simulation(400, random_state=2 * run + 1, **settings)
    return train, test


def fit(method: str, mu: float, train, run: int, epochs: int) -> FairICPRegressor:
    coef, scale = train.target_coef, train.target_scale
    density = KnownGaussianDensity(lambda A: A @ coef, scale) if method == "oracle" else None
    if method == "icp linear":
        density = LinearGaussianDensity()
    if method in FLOWS:
        density = MaskedAutoregressiveFlow(random_state=run)
    model = FairICPRegressor(
        hidden_layer_sizes=(),
        mu=mu,
        resampling=method.split()[0],
        density=density,
        max_epochs=epochs,
        batch_size=32,
        lr=1e-3,
        discriminator_lr=1e-4,
        random_state=run,
    )
    mean, spread = train.data.mean(axis=0), train.data.std(axis=0)
    return model.fit(
        (train.data - mean) / spread, train.target, sensitive_features=train.sensitive_features
    )


def kpc_of(predicted, A, y) -> float:
    return float(kernel_partial_correlation(predicted, A, given=y))


def evaluate(model: FairICPRegressor, train, test, run: int) -> tuple[float, float, bool]:
    mean, spread = train.data.mean(axis=0), train.data.std(axis=0)
    predicted = model.predict((test.data - mean) / spread)
    coef, scale, relevant = test.target_coef, test.target_scale, test.n_relevant
    A = test.sensitive_features[:, :relevant]
    oracle = KnownGaussianDensity(lambda a: a @ coef[:relevant], scale)
    result = equalized_odds_test(
        test.target,
        predicted,
        sensitive_features=A,
        statistic=kpc_of,
        n_permutations=59,
        resampling=InverseConditionalPermutation(FrozenEstimator(oracle), random_state=run),
        check_density=False,
        random_state=run,
    )
    loss = float(np.mean((predicted - test.target) ** 2))
    return loss, kpc_of(predicted, A, test.target), result.pvalue < 0.05


def loss_at(kpc: float, front: np.ndarray) -> float:
    """Loss of a front of (loss, kpc) at a KPC, where the front reaches it."""
    front = front[np.argsort(front[:, 1])]
    if not front[0, 1] <= kpc <= front[-1, 1]:
        return np.nan
    return float(np.interp(kpc, front[:, 1], np.minimum.accumulate(front[:, 0])))


def excess(values: np.ndarray, reference: np.ndarray, runs: np.ndarray | slice) -> float:
    """Loss less the reference's, at the KPC which that reaches with its second largest mu."""
    front, other = values[:, runs].mean(axis=1), reference[:, runs].mean(axis=1)
    target = np.sort(other[:, 1])[1]
    return loss_at(target, front) - loss_at(target, other)


def standard_error(values: np.ndarray, reference: np.ndarray) -> float:
    rng, runs = np.random.default_rng(0), values.shape[1]
    drawn = [excess(values, reference, rng.integers(runs, size=runs)) for _ in range(N_BOOTSTRAP)]
    found = np.array(drawn)
    return float(np.nanstd(found)) if np.isfinite(found).any() else np.nan


def run_setting(
    simulation: int,
    n_dimensions: int,
    omega: float,
    mus: list[float],
    runs: int,
    methods: list[str],
    epochs: int,
) -> None:
    print(
        f"\nsimulation {simulation}, K = {n_dimensions}, omega = {omega:g}, {runs} runs\n"
        f"  {'':10s}"
        + "".join(f"  mu = {mu:<4g} loss   kpc power" for mu in mus)
        + f"{'cpu s':>8s}{'at kpc':>9s}{'- ' + methods[0]:>11s}   (se)",
        flush=True,
    )
    samples = [draw(simulation, n_dimensions, omega, run) for run in range(runs)]
    reference = None
    for method in methods:
        values = np.empty((len(mus), runs, 3))
        times = []
        for i, mu in enumerate(mus):
            if mu == 0 and reference is not None:
                values[i] = reference[i]
                continue
            for run, (train, test) in enumerate(samples):
                start = time.process_time()
                model = fit(method, mu, train, run, epochs)
                times.append(time.process_time() - start)
                values[i, run] = evaluate(model, train, test, run)
        front = values.mean(axis=1)
        cells = "".join(f"  {loss:14.2f} {kpc:5.3f} {power:5.2f}" for loss, kpc, power in front)
        if reference is None:
            reference, target = values, np.sort(front[:, 1])[1]
        line = f"  {method:10s}{cells}{np.mean(times):8.2f}{loss_at(target, front):9.2f}"
        if values is not reference:
            line += f"{excess(values, reference, slice(None)):+11.2f}"
            line += f" ({standard_error(values, reference):.2f})"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--dimensions", nargs="+", type=int, default=[1, 5, 10])
    parser.add_argument("--omegas", nargs="+", type=float, default=[0.9])
    parser.add_argument("--mus", nargs="+", type=float, default=[0.0, 0.5, 0.8, 0.9])
    parser.add_argument("--methods", nargs="+", choices=METHODS + FLOWS, default=METHODS)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="one run, simulation 1, K = 1 and 5")
    arguments = parser.parse_args()
    simulations, dimensions, runs = arguments.simulations, arguments.dimensions, arguments.runs
    if arguments.quick:
        simulations, dimensions, runs = [1], [1, 5], 1
    for simulation in simulations:
        for omega in arguments.omegas:
            for n_dimensions in dimensions:
                run_setting(
                    simulation,
                    n_dimensions,
                    omega,
                    arguments.mus,
                    runs,
                    arguments.methods,
                    arguments.epochs,
                )


if __name__ == "__main__":
    main()
