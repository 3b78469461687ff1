"""Draw overview.png, the picture of the README: python docs/images/overview.py

Left, whom a plain and a fair model of COMPAS select in each group; right, what fairness costs. All
on people that no model was trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor, TradeOffDisplay, group_rates
from fairsk.datasets import load_compas

TOLERANCE = 0.05
BOUNDS = np.array([0.005, 0.02, 0.035, 0.05, 0.08, 0.1, 0.14])


def draw() -> Figure:
    """The picture."""
    X, y, A = load_compas(return_X_y=True)
    X, X_test, y, y_test, A, A_test = train_test_split(
        X, y, A[:, 0], test_size=0.5, random_state=0, stratify=y
    )
    base = make_pipeline(StandardScaler(), LogisticRegression())
    plain = base.fit(X, y)
    aware, blind = (
        BayesOptimalFairPostProcessor(
            base, tolerance=TOLERANCE, attribute_aware=is_aware, random_state=0
        ).fit(X, y, sensitive_features=A)
        for is_aware in (True, False)
    )
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    models = {
        "plain model": plain.predict(X_test),
        "fair thresholds": aware.predict(X_test, sensitive_features=A_test),
    }
    for k, (name, labels) in enumerate(models.items()):
        report = group_rates(y_test, labels, sensitive_features=A_test, rates="selection_rate")
        place = np.arange(len(report.group_labels)) + (k - 0.5) * 0.36
        left.bar(
            place,
            report.estimates[0],
            width=0.34,
            yerr=[
                report.estimates[0] - report.lower[0],
                report.upper[0] - report.estimates[0],
            ],
            capsize=4,
            facecolor=("0.85", "#99c7e0")[k],
            edgecolor=("0.4", "#0072B2")[k],
            hatch=("", "///")[k],
            label=name,
        )
    left.set_xticks(range(len(report.group_labels)), report.group_labels)
    left.set_ylabel("predicted to be re-arrested")
    left.set_title("rates of the groups within a tolerance ...")
    left.legend(frameon=False)
    right.set_title("... at the least cost in accuracy")
    TradeOffDisplay.from_estimator(
        {
            "fair thresholds, group known": aware.path(BOUNDS),
            "fair thresholds, group unknown": blind.path(BOUNDS),
            "plain model": plain,
        },
        X_test,
        y_test,
        sensitive_features=A_test,
        tolerance=TOLERANCE,
        intervals=False,
        ax=right,
    )
    right.set_xlabel("worst gap in selection rate")
    right.set_ylabel("accuracy on new people")
    return figure


if __name__ == "__main__":
    draw().savefig(Path(__file__).with_suffix(".png"), dpi=110)
