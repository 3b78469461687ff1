"""ACSIncome 2018, 765,670 rows: fit, solve and certify at census scale.

    FAIRSK_DATA=<folder with acs_income.csv.gz> python benchmarks/acs_income.py [--eg]

Half of the rows train, half test; gradient-boosted trees on the ten features. Groups: sex, and
sex x race with races of fewer than 10,000 rows joined. ``--eg`` adds fairlearn's
ExponentiatedGradient at one bound, which takes many trainings.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from fairsk import BayesOptimalFairPostProcessor
from fairsk.datasets import fetch_acs_income
from fairsk.metrics import fairness_violation

BOUND = 0.02


def base_model() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=40, learning_rate=0.2, early_stopping=False, random_state=0
    )


def groups_of(sensitive_features: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Group labels; races too rare to compare are joined as 'Other'."""
    table = np.asarray(sensitive_features, dtype=object)
    columns = [table[:, ("SEX", "RAC1P").index(name)].copy() for name in names]
    if "RAC1P" in names:
        race = columns[names.index("RAC1P")]
        values, counts = np.unique(race.astype(str), return_counts=True)
        rare = set(values[counts < 10_000])
        race[[str(value) in rare for value in race]] = "Other"
    return np.array([", ".join(map(str, row)) for row in zip(*columns, strict=True)])


def report(name: str, seconds: float, y, predicted, groups, notion: str) -> None:
    violation = fairness_violation(y, predicted, sensitive_features=groups, notion=notion)
    print(
        f"  {name:34s} {np.mean(predicted == y):9.4f} {violation:10.4f} {seconds:9.2f}", flush=True
    )


def run(data, names: tuple[str, ...], notion: str, with_eg: bool) -> None:
    groups = groups_of(data.sensitive_features, names)
    X = np.asarray(data.data, dtype=np.float32)
    X_train, X_test, y_train, y_test, A_train, A_test = train_test_split(
        X, data.target, groups, test_size=0.5, random_state=0, stratify=data.target
    )
    n_groups = len(np.unique(groups))
    print(f"\n{' x '.join(names)}, {n_groups} groups, {notion}, tolerance {BOUND}")
    print(f"  {'method':34s} {'accuracy':>9s} {'violation':>10s} {'cpu s':>9s}")
    start = time.process_time()
    plain = base_model().fit(X_train, y_train)
    report("plain", time.process_time() - start, y_test, plain.predict(X_test), A_test, notion)
    for aware in (False, True):
        start = time.process_time()
        model = BayesOptimalFairPostProcessor(
            base_model(),
            notion=notion,
            tolerance=BOUND,
            attribute_aware=aware,
            cv=3,
            random_state=0,
        ).fit(X_train, y_train, sensitive_features=A_train)
        seconds = time.process_time() - start
        predicted = model.predict(X_test, sensitive_features=A_test if aware else None)
        kind = "aware" if aware else "blind"
        report(f"fairsk post, {kind}, fit", seconds, y_test, predicted, A_test, notion)
        start = time.process_time()
        path = model.path(np.linspace(0.005, 0.1, 20))
        print(
            f"  {'  path of 20 tolerances':34s} {'':9s} {'':10s} {time.process_time() - start:9.2f}"
        )
        certificate = model.certificate_
        print(
            f"    gap {certificate.duality_gap:.0e}, interval of the violation "
            f"[{certificate.interval[0]:.4f}, {certificate.interval[1]:.4f}], accuracy along the "
            f"path {path.observed_accuracy.min():.4f} to {path.observed_accuracy.max():.4f}"
        )
    if with_eg:
        from fairlearn.reductions import DemographicParity, ExponentiatedGradient

        start = time.process_time()
        model = ExponentiatedGradient(base_model(), DemographicParity(difference_bound=BOUND))
        model.fit(X_train, y_train, sensitive_features=A_train)
        seconds = time.process_time() - start
        predicted = model.predict(X_test, random_state=0)
        report("fairlearn EG, blind", seconds, y_test, predicted, A_test, notion)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--eg", action="store_true")
    options = parser.parse_args()
    data = fetch_acs_income(sensitive_features=("SEX", "RAC1P"))
    print(f"ACSIncome 2018: {len(data.target):,} rows, {np.mean(data.target):.1%} positive")
    run(data, ("SEX",), "demographic_parity", options.eg)
    run(data, ("SEX", "RAC1P"), "demographic_parity", False)
    run(data, ("SEX", "RAC1P"), "equalized_odds", False)


if __name__ == "__main__":
    main()
