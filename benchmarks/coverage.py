"""How often `confidence` keeps its promise: simulated data sets with a known population.

    python benchmarks/coverage.py                       # about four minutes on one core
    python benchmarks/coverage.py --repetitions 500 --samples 1500 6000

Each repetition draws a data set, fits the post-processor with and without confidence on the same
models and measures the violation of the fitted rule in the population: the mean over 200,000 fresh
rows, with the labels' true probabilities in place of labels. Coverage is the share of rules whose
true violation is within the tolerance; the standard error is binomial. The accuracy price is
against the same models without constraints. Data sets whose tolerance cannot be promised with
confidence are refused by `fit` and counted apart.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from fairsk import BayesOptimalFairPostProcessor
from fairsk.datasets import make_biased_classification
from fairsk.notions import CellMasses, get_notion
from fairsk.solvers import InfeasibleConstraintsError

SHAPES = {2: 2, 4: (2, 2)}
# Tolerances that bind without being out of reach of 1,500 rows; four groups take twice as much.
TOLERANCES = {
    "demographic_parity": 0.1,
    "equal_opportunity": 0.12,
    "predictive_equality": 0.12,
    "accuracy_parity": 0.05,
    "equalized_odds": 0.15,
}
DISTRIBUTION = {"bias": 3.0, "class_sep": 1.0, "group_sep": 2.0, "group_imbalance": 0.4}


@dataclass(frozen=True)
class Population:
    """Rows that stand for the population, with the true P(Y = 1 | x, a)."""

    X: np.ndarray
    group: np.ndarray
    posterior: np.ndarray
    n_groups: int

    @classmethod
    def draw(cls, n_groups: int, size: int) -> Population:
        data = simulate(n_groups, size, seed=10**6)
        return cls(data.data, data.group, data.posterior, n_groups)

    def violation(self, notion: str, decision: np.ndarray) -> float:
        """Worst difference from the population."""
        eta = self.posterior
        masses = []
        for weight in (decision, np.ones(len(decision))):
            masses.append(
                [
                    np.bincount(self.group, weight * chance, self.n_groups)
                    for chance in (1 - eta, eta)
                ]
            )
        cells = CellMasses(*np.array(masses), family_of=np.zeros(self.n_groups, dtype=int))
        return get_notion(notion).violation(cells)

    def accuracy(self, decision: np.ndarray) -> float:
        return float(np.mean(decision * self.posterior + (1 - decision) * (1 - self.posterior)))


def simulate(n_groups: int, size: int, seed: int):
    return make_biased_classification(
        size,
        n_groups=SHAPES[n_groups],
        **DISTRIBUTION,
        random_state=seed,
        return_probabilities=True,
    )


def measure(model, population: Population, notion: str) -> tuple[float, float]:
    """True violation and accuracy of a fitted rule."""
    groups = population.group if model.attribute_aware else None
    decision = model.selection_probability(population.X, sensitive_features=groups)
    return population.violation(notion, decision), population.accuracy(decision)


def run_cell(population, aware, notion, tolerance, confidence, n, repetitions):
    """(violation, price) by repetition for each confidence, and how many were refused."""
    figures = {None: [], confidence: []}
    refused = 0
    for seed in range(repetitions):
        data = simulate(population.n_groups, n, seed)
        model = BayesOptimalFairPostProcessor(
            notion=notion, tolerance=tolerance, attribute_aware=aware, random_state=seed
        ).fit(data.data, data.target, sensitive_features=data.group)
        best = measure(model.path([1.0]).estimators[0], population, notion)[1]
        violation, accuracy = measure(model, population, notion)
        figures[None].append((violation, best - accuracy))
        try:
            promised = model.set_params(confidence=confidence).path([tolerance]).estimators[0]
        except InfeasibleConstraintsError:
            refused += 1
            continue
        violation, accuracy = measure(promised, population, notion)
        figures[confidence].append((violation, best - accuracy))
    return figures, refused


def print_row(aware, notion, n_groups, tolerance, confidence, n, figures, refused) -> None:
    rows = np.array(figures)
    text = (
        f"{'aware' if aware else 'blind':6s} {notion:20s} {n_groups:6d} {tolerance:9.3f} "
        f"{'-' if confidence is None else confidence:>10} {n:6d} "
    )
    if not len(rows):
        print(f"{text}  all {refused} refused", flush=True)
        return
    coverage = np.mean(rows[:, 0] <= tolerance)
    error = np.sqrt(coverage * (1 - coverage) / len(rows))
    print(
        f"{text}{coverage:9.3f} ({error:.3f}) {rows[:, 0].mean():10.4f} {rows[:, 1].mean():8.4f} "
        f"{refused:8d}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", default=["aware", "blind"])
    parser.add_argument("--notions", nargs="+", default=list(TOLERANCES), choices=TOLERANCES)
    parser.add_argument("--groups", nargs="+", type=int, default=[2, 4], choices=SHAPES)
    parser.add_argument("--samples", nargs="+", type=int, default=[1500])
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--repetitions", type=int, default=60)
    parser.add_argument("--population", type=int, default=200_000)
    options = parser.parse_args()
    start = time.process_time()
    print(
        f"{'rule':6s} {'notion':20s} {'groups':>6s} {'tolerance':>9s} "
        f"{'confidence':>10s} {'n':>6s} "
        f"{'coverage':>9s} {'(se)':>7s} {'violation':>10s} {'price':>8s} {'refused':>8s}"
    )
    for n_groups in options.groups:
        population = Population.draw(n_groups, options.population)
        for setting in options.settings:
            for notion in options.notions:
                tolerance = TOLERANCES[notion] * n_groups / 2
                for n in options.samples:
                    cell = (setting == "aware", notion, tolerance, options.confidence, n)
                    figures, refused = run_cell(population, *cell, options.repetitions)
                    for confidence, values in figures.items():
                        print_row(
                            setting == "aware",
                            notion,
                            n_groups,
                            tolerance,
                            confidence,
                            n,
                            values,
                            0 if confidence is None else refused,
                        )
    print(f"{time.process_time() - start:.0f} CPU seconds")


if __name__ == "__main__":
    main()
