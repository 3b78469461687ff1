"""Time of confidence intervals for group rates: cells against rows.

Run with ``python benchmarks/interval_speed.py``; it prints one table. Times are CPU seconds of one
process and include the tabulation of the rows. The slow methods run a few replicates and are
extrapolated in proportion, which the table says.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fairsk.metrics import disparity_intervals, group_rates
from fairsk.notions import get_notion
from fairsk.utils import GroupEncoder
from tests._reference.row_bootstrap import row_bootstrap

N_ROWS, N_GROUPS = 30_000, 6
CELL_REPLICATES = 10_000
ROW_REPLICATES = 50
FAIRLEARN_REPLICATES = 3
FAIRLEARN_TARGET = 100


def make_data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, decisions and six groups of unequal sizes."""
    rng = np.random.default_rng(0)
    group = rng.choice(N_GROUPS, N_ROWS, p=[0.35, 0.25, 0.2, 0.1, 0.06, 0.04])
    y = (rng.random(N_ROWS) < 0.3 + 0.05 * group).astype(int)
    decision = (rng.random(N_ROWS) < 0.2 + 0.4 * y + 0.02 * group).astype(int)
    return y, decision, np.array(list("abcdef"))[group]


def cpu_seconds(run: Callable[[], object], repeats: int = 1) -> float:
    """Least CPU time of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def time_rows(y: np.ndarray, decision: np.ndarray, group: np.ndarray) -> float:
    def run() -> None:
        groups = GroupEncoder().fit_transform(group)
        masses = row_bootstrap(y, decision, groups, n_resamples=ROW_REPLICATES)
        get_notion("equalized_odds").group_rates(masses).std(axis=0)

    return cpu_seconds(run)


def time_fairlearn(y: np.ndarray, decision: np.ndarray, group: np.ndarray) -> float:
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import zero_one_loss

    rates = (selection_rate, true_positive_rate, false_positive_rate, zero_one_loss)
    return cpu_seconds(
        lambda: MetricFrame(
            metrics={rate.__name__: rate for rate in rates},
            y_true=y,
            y_pred=decision,
            sensitive_features=group,
            n_boot=FAIRLEARN_REPLICATES,
            ci_quantiles=[0.025, 0.975],
            random_state=0,
        )
    )


def main() -> None:
    y, decision, group = make_data()
    options = {"sensitive_features": group, "n_resamples": CELL_REPLICATES}
    weight = np.random.default_rng(1).uniform(0.5, 2, N_ROWS)
    table = [
        (
            "fairsk group_rates, 4 rates",
            CELL_REPLICATES,
            cpu_seconds(lambda: group_rates(y, decision, **options), repeats=5),
            "",
        ),
        (
            "fairsk group_rates, 4 rates, weighted rows",
            CELL_REPLICATES,
            cpu_seconds(lambda: group_rates(y, decision, sample_weight=weight, **options), 5),
            "",
        ),
        (
            "fairsk disparity_intervals, equalized odds, groups",
            CELL_REPLICATES,
            cpu_seconds(
                lambda: disparity_intervals(
                    y, decision, notion="equalized_odds", contrast="groups", **options
                ),
                repeats=5,
            ),
            "",
        ),
    ]
    seconds = time_rows(y, decision, group) * CELL_REPLICATES / ROW_REPLICATES
    note = f"extrapolated from {ROW_REPLICATES}"
    table.append(("row bootstrap in NumPy, equalized odds", CELL_REPLICATES, seconds, note))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own, not ours
        measured = time_fairlearn(y, decision, group)
    note = f"extrapolated from {FAIRLEARN_REPLICATES}"
    for target in (FAIRLEARN_TARGET, CELL_REPLICATES):
        seconds = measured * target / FAIRLEARN_REPLICATES
        table.append(("fairlearn MetricFrame, 4 rates", target, seconds, note))

    print(f"Intervals for {N_GROUPS} groups, {N_ROWS:,} rows")
    print(f"{'method':52}{'replicates':>10}{'CPU s':>12}  note")
    for method, replicates, seconds, note in table:
        print(f"{method:52}{replicates:>10,}{seconds:>12,.3f}  {note}".rstrip())


if __name__ == "__main__":
    main()
