"""The main job on real data: audit a model, tune a fair one, compare, draw the trade-off.

    python -m fairsk.quickstart [--output FOLDER]

Two data sets that come with the package, four intersectional groups (race x sex) each: COMPAS
(re-arrest within two years) and Adult (income over 50,000 dollars).
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor, FairCostSensitiveClassifier
from fairsk.datasets import load_adult, load_compas
from fairsk.metrics import (
    disparity_intervals,
    group_rates,
    make_aware_scorer,
    make_fairness_scorer,
)
from fairsk.model_selection import FairGridSearchCV, best_within_tolerance
from fairsk.plotting import TradeOffCurve, TradeOffDisplay

NOTION = "demographic_parity"
TRAINED = ("fair training, blind", "fair training, aware")
PATH = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2)


@dataclass(frozen=True)
class Study:
    """One data set, split in half, with the tolerance asked of it."""

    name: str
    question: str
    tolerance: float
    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray
    A_train: np.ndarray
    A_test: np.ndarray

    def with_groups(self, X: np.ndarray, A: np.ndarray) -> np.ndarray:
        """X with indicator columns of the sensitive features, for attribute-aware models."""
        return np.column_stack([X] + [A[:, j] == self.A_train[0, j] for j in range(A.shape[1])])


def load_studies() -> list[Study]:
    """COMPAS and Adult with race and sex, half for training and half for testing."""
    compas = load_compas(sensitive_features=("race", "sex"))
    adult = load_adult(sensitive_features=("race", "sex"), races=("White", "Black"))
    studies = []
    rows: tuple[tuple[str, str, float, Any], ...] = (
        ("COMPAS", "re-arrested within two years?", 0.08, compas),
        ("Adult", "income over 50,000 dollars?", 0.05, adult),
    )
    for name, question, tolerance, data in rows:
        split = train_test_split(
            data.data,
            data.target,
            data.sensitive_features,
            test_size=0.5,
            random_state=0,
            stratify=data.target,
        )
        studies.append(Study(name, question, tolerance, *split))
    return studies


def base_model() -> Any:
    """Scaled logistic regression; any classifier with probabilities would do."""
    return make_pipeline(StandardScaler(), LogisticRegression(tol=1e-3))


class Progress:
    """Numbered steps with the seconds each took."""

    def __init__(self, n_steps: int) -> None:
        self.n_steps, self.step, self.start = n_steps, 0, time.perf_counter()

    def __call__(self, text: str) -> None:
        self.step += 1
        seconds = time.perf_counter() - self.start
        print(f"[{self.step}/{self.n_steps}, {seconds:4.0f} s] {text} ...", flush=True)


def audit(study: Study, plain: Any) -> None:
    """Print what the plain model does to each group."""
    predicted = plain.predict(study.X_test)
    print(group_rates(study.y_test, predicted, sensitive_features=study.A_test))
    print(
        disparity_intervals(study.y_test, predicted, sensitive_features=study.A_test, notion=NOTION)
    )
    print()


def tune(study: Study) -> Any:
    """Search a pipeline whose last step is fair, with a fairness scorer beside accuracy."""
    fair = BayesOptimalFairPostProcessor(
        LogisticRegression(tol=1e-3), attribute_aware=True, random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), fair)
    step = pipeline.steps[-1][0]
    search = FairGridSearchCV(
        pipeline,
        {
            f"{step}__tolerance": [study.tolerance / 2, study.tolerance, 2 * study.tolerance],
            f"{step}__estimator__C": [0.01, 1.0],
        },
        scoring={
            "accuracy": make_aware_scorer("accuracy"),
            "parity": make_fairness_scorer(NOTION),
        },
        refit=best_within_tolerance(study.tolerance, objective="accuracy", violation="parity"),
        cv=3,
    )
    X = study.with_groups(study.X_train, study.A_train)
    search.fit(X, study.y_train, sensitive_features=study.A_train)
    chosen = {key.split("__", 1)[1]: value for key, value in search.best_params_.items()}
    print(
        f"    {len(search.cv_results_['params'])} candidates; most accurate within the tolerance: "
        f"{chosen}, cross-validated accuracy {search.best_score_:.3f}"
    )
    return search.best_estimator_


def fair_models(study: Study) -> dict[str, tuple[Any, np.ndarray, dict]]:
    """Both estimators, without and with the groups at prediction; test inputs beside each."""
    wide_train = study.with_groups(study.X_train, study.A_train)
    wide_test = study.with_groups(study.X_test, study.A_test)
    groups = {"sensitive_features": study.A_test}
    settings = {"notion": NOTION, "tolerance": study.tolerance, "random_state": 0}
    known = {"sensitive_features": study.A_train}
    post = BayesOptimalFairPostProcessor(base_model(), **settings)
    aware = BayesOptimalFairPostProcessor(base_model(), attribute_aware=True, **settings)
    training = FairCostSensitiveClassifier(base_model(), **settings)
    training_aware = FairCostSensitiveClassifier(base_model(), **settings)
    with warnings.catch_warnings():
        # A linear model may stay a little outside a tight tolerance; the table shows it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {
            "fair thresholds, blind": (
                post.fit(study.X_train, study.y_train, **known),
                study.X_test,
                {},
            ),
            "fair thresholds, aware": (
                aware.fit(wide_train, study.y_train, **known),
                wide_test,
                groups,
            ),
            "fair training, blind": (
                training.fit(study.X_train, study.y_train, **known),
                study.X_test,
                {},
            ),
            "fair training, aware": (
                training_aware.fit(wide_train, study.y_train, **known),
                wide_test,
                {},
            ),
        }


def measure(study: Study, predicted: np.ndarray) -> tuple[float, float, float, float]:
    """Accuracy, and the worst difference with its interval, on the test half."""
    report = disparity_intervals(
        study.y_test, predicted, sensitive_features=study.A_test, notion=NOTION, random_state=0
    )
    accuracy = float(np.mean(predicted == study.y_test))
    return accuracy, report.worst, report.worst_lower, report.worst_upper


def print_table(study: Study, rows: dict[str, tuple[float, float, float, float]]) -> None:
    """One line a model."""
    print(f"\n{study.name}: {study.question}  {len(study.y_test):,} people who were not trained on")
    print(f"  {'':26s} {'':8s}   worst gap in selection rate, tolerance {study.tolerance:g}")
    print(f"  {'model':26s} {'accuracy':>8s}   on the test half, with its interval")
    for name, (accuracy, worst, low, high) in rows.items():
        if worst <= study.tolerance:
            verdict = "within"
        else:
            verdict = "above" if low > study.tolerance else "above, within the noise"
        print(f"  {name:26s} {accuracy:8.3f}   {worst:.3f}  [{low:.3f}, {high:.3f}]  {verdict}")


def draw(curves: dict[str, tuple[Study, dict[str, np.ndarray], dict]], output: Path) -> Path | None:
    """Accuracy against the worst gap, on the test halves; None without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("\nNo picture: matplotlib is not installed (pip install 'fairsk[plot]').")
        return None
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    for axes, (study, paths, points) in zip(figure.subplots(1, 2), curves.values(), strict=True):
        drawn = {
            name: TradeOffCurve.of(path[:, 0], path[:, 1], is_path=True)
            for name, path in paths.items()
        }
        for name in ("plain model", "grid search, aware", *TRAINED):
            accuracy, worst, low, high = points[name]
            drawn[name] = TradeOffCurve.of(accuracy, worst, violation_interval=[[low, high]])
        display = TradeOffDisplay(
            drawn,
            objective_name="accuracy on the test half",
            violation_name="worst gap in selection rate (group - population)",
        )
        axes.set_title(f"{study.name}: {study.question}")
        display.plot(ax=axes, tolerance=study.tolerance)
    output.mkdir(parents=True, exist_ok=True)
    target = output / "trade_off.png"
    figure.savefig(target, dpi=150)
    return target


def follow_paths(study: Study, models: dict) -> dict[str, np.ndarray]:
    """Test accuracy and worst gap along the tolerances, from the fits at hand."""
    paths = {}
    for name in ("fair thresholds, blind", "fair thresholds, aware"):
        model, X_test, given = models[name]
        points = model.path(PATH).estimators
        paths[name] = np.array([measure(study, p.predict(X_test, **given))[:2] for p in points])
    return paths


def main(arguments: list[str] | None = None) -> None:
    """Run the study and print it."""
    parser = argparse.ArgumentParser(prog="fairsk.quickstart", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--output", type=Path, default=Path("quickstart_output"))
    output = parser.parse_args(arguments).output
    progress = Progress(10)
    progress("loading COMPAS and Adult")
    studies = load_studies()
    curves, tables = {}, {}
    for study in studies:
        progress(f"{study.name}: training and auditing a plain logistic regression")
        plain = base_model().fit(study.X_train, study.y_train)
        print()
        audit(study, plain)
        progress(f"{study.name}: tuning a pipeline within {study.tolerance:g}")
        with config_context(enable_metadata_routing=True), warnings.catch_warnings():
            # With few rows no candidate may be within the tolerance; the least is taken.
            warnings.simplefilter("ignore", UserWarning)
            tuned = tune(study)
            X_test = study.with_groups(study.X_test, study.A_test)
            tuned_labels = tuned.predict(X_test, sensitive_features=study.A_test)
        progress(f"{study.name}: fitting both fair estimators, blind and aware")
        models = fair_models(study)
        progress(f"{study.name}: following the trade-off over {len(PATH)} tolerances")
        rows = {
            "plain model": measure(study, plain.predict(study.X_test)),
            "grid search, aware": measure(study, tuned_labels),
        }
        for name, (model, X_test, given) in models.items():
            rows[name] = measure(study, model.predict(X_test, **given))
        curves[study.name] = (study, follow_paths(study, models), rows)
        tables[study.name] = (study, rows, models["fair thresholds, aware"][0].certificate_)
    progress("drawing the trade-off")
    target = draw(curves, output)
    for study, rows, _ in tables.values():
        print_table(study, rows)
    print("\nBlind models see neither race nor sex when they predict; aware models do.")
    print("Brackets are 95 % confidence intervals; small groups make them wide.")
    for study, _, certificate in tables.values():
        print(f"\n{study.name}, fair thresholds, aware:\n{certificate}")
    if target is not None:
        print(f"\nPicture: {target}")


if __name__ == "__main__":
    main()
