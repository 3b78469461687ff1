"""Accuracy against violation on COMPAS and Adult, beside fairlearn and OxonFair, in one run.

    python benchmarks/fronts.py                      # everything; about two hours of CPU
    python benchmarks/fronts.py --data compas --notions demographic_parity --seeds 2

Splits as in the paper: half of the rows train, half test; logistic regression on COMPAS with one
feature, XGBoost elsewhere. "halves" splits the training half again, as the paper does; the others
use all of it. "programs", run when asked for, leaves out the search for multipliers on the labels.
Violations are measured on the test half, as the notion's worst difference from the population (or
worst ratio). "cpu s" is a fit from nothing, "more" a further bound once it is there. The last
columns hold our best front against each peer's point: our accuracy at the same violation, by
interpolation, minus the peer's, with its standard error by the jackknife over splits, which takes
in the noise of both violations.
"""

from __future__ import annotations

import argparse
import copy
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from unittest.mock import patch

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor, FairCostSensitiveClassifier
from fairsk.base import _label_objective
from fairsk.datasets import load_adult, load_compas
from fairsk.metrics import fairness_violation

NOTIONS = (
    "demographic_parity",
    "equal_opportunity",
    "predictive_equality",
    "accuracy_parity",
    "equalized_odds",
)
TOLERANCES = {1: (0.01, 0.03, 0.06), 4: (0.02, 0.05, 0.10, 0.20)}
LEVELS = (0.95, 0.85, 0.7)


@dataclass(frozen=True)
class Task:
    """One split of one data set in one setting."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray
    A_train: np.ndarray
    A_test: np.ndarray
    estimator: object
    aware: bool


def load(name: str, n_features: int):
    """X without the sensitive features, y and the group labels as the paper takes them."""
    if name == "compas":
        columns = ("race",) if n_features == 1 else ("race", "sex")
        data = load_compas(sensitive_features=("race", "sex"))
    else:
        columns = ("sex",) if n_features == 1 else ("race", "sex")
        data = load_adult(sensitive_features=("race", "sex"), races=("White", "Black"))
    places = [list(data.sensitive_feature_names).index(column) for column in columns]
    groups = np.array([", ".join(map(str, row)) for row in data.sensitive_features[:, places]])
    return data.data, data.target, groups


def make_task(name: str, n_features: int, aware: bool, seed: int) -> Task:
    X, y, groups = load(name, n_features)
    if aware:
        _, codes = np.unique(groups, return_inverse=True)
        X = np.column_stack([X, np.eye(codes.max() + 1)[codes]])
    X = StandardScaler().fit_transform(X)
    split = train_test_split(X, y, groups, test_size=0.5, random_state=seed, stratify=y)
    return Task(*split, estimator=base_model(name, n_features, seed), aware=aware)


def base_model(name: str, n_features: int, seed: int):
    if name == "compas" and n_features == 1:
        return LogisticRegression()
    from xgboost import XGBClassifier

    class Boosting(XGBClassifier):
        """XGBoost with double precision probabilities, which fairlearn's thresholds need."""

        def predict_proba(self, X, **options):
            return super().predict_proba(X, **options).astype(float)

    return Boosting(
        n_estimators=30,
        max_depth=4 if name == "adult" else 3,
        learning_rate=0.3 if name == "adult" else 0.2,
        n_jobs=1,
        random_state=seed,
    )


# ------------------------------------------------------------------ methods


def base(task: Task, notion: str, measure: str, bounds):
    start = time.process_time()
    model = task.estimator.fit(task.X_train, task.y_train)
    seconds = time.process_time() - start
    yield bounds[0], model.predict(task.X_test), seconds, seconds


_FITTED: dict = {}


def post_processor(task: Task, notion: str, measure: str, bounds, *, constrain="labels", cv=5):
    """One fit serves all bounds and both kinds of constraints, which are chosen after it.

    As a further point costs next to nothing, the front has one that is tighter than the peers'
    bounds, for on new rows theirs can end up fairer than asked for, and between the levels of a
    ratio, which are far apart.
    """
    key = (id(task), notion, measure, cv)
    if key not in _FITTED:
        _FITTED.clear()
        start = time.process_time()
        model = BayesOptimalFairPostProcessor(
            task.estimator,
            notion=notion,
            measure=measure,
            attribute_aware=task.aware,
            constrain="probabilities",
            cv=cv,
            random_state=0,
            **bound_parameter(measure, bounds[0]),
        ).fit(task.X_train, task.y_train, sensitive_features=task.A_train)
        _FITTED[key] = model, time.process_time() - start
    model, seconds = _FITTED[key]
    model = copy.copy(model).set_params(constrain=constrain)
    groups = task.A_test if task.aware else None
    for bound in front_bounds(measure, bounds):
        start = time.process_time()
        point = model.path([bound]).estimators[0]
        step = time.process_time() - start
        predicted = point.predict(task.X_test, sensitive_features=groups)
        yield bound, predicted, seconds, step


def front_bounds(measure: str, bounds) -> list[float]:
    """The bounds of our fronts, from tight to loose."""
    if measure == "difference":
        return [bounds[0] / 2, *bounds]
    levels = [1.0, *bounds]
    between = [(tight + loose) / 2 for tight, loose in pairwise(levels)]
    return sorted([*bounds, *between], reverse=True)


def without_search(task: Task, notion: str, measure: str, bounds):
    """Ablation: constraints on labels by corrected programs alone."""
    with patch.object(_label_objective, "MOST_WORK", 0.0):
        yield from post_processor(task, notion, measure, bounds)


def in_training(task: Task, notion: str, measure: str, bounds):
    for bound in bounds:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = FairCostSensitiveClassifier(
                task.estimator,
                notion=notion,
                measure=measure,
                random_state=0,
                max_updates=3,
                **bound_parameter(measure, bound),
            ).fit(task.X_train, task.y_train, sensitive_features=task.A_train)
        seconds = time.process_time() - start
        yield bound, model.predict(task.X_test), seconds, seconds


def bound_parameter(measure: str, bound: float) -> dict:
    return {"tolerance" if measure == "difference" else "ratio_bound": bound}


def moment(notion: str, measure: str, bound: float):
    from fairlearn import reductions

    classes = {
        "demographic_parity": reductions.DemographicParity,
        "equal_opportunity": reductions.TruePositiveRateParity,
        "predictive_equality": reductions.FalsePositiveRateParity,
        "accuracy_parity": reductions.ErrorRateParity,
        "equalized_odds": reductions.EqualizedOdds,
    }
    name = "difference_bound" if measure == "difference" else "ratio_bound"
    extra = {} if measure == "difference" else {"ratio_bound_slack": 0.005}
    return classes[notion](**{name: bound}, **extra)


def exponentiated_gradient(task: Task, notion: str, measure: str, bounds):
    from fairlearn.reductions import ExponentiatedGradient

    for bound in bounds:
        start = time.process_time()
        model = ExponentiatedGradient(
            task.estimator,
            moment(notion, measure, bound),
            eps=0.005,
        ).fit(task.X_train, task.y_train, sensitive_features=task.A_train)
        seconds = time.process_time() - start
        yield bound, model.predict(task.X_test, random_state=0), seconds, seconds


def grid_search(task: Task, notion: str, measure: str, bounds):
    """fairlearn's grid over multipliers; the most accurate point within the bound in training."""
    from fairlearn.reductions import GridSearch

    if len(np.unique(task.A_train)) > 2 or notion == "equalized_odds" or measure == "ratio":
        return
    start = time.process_time()
    search = GridSearch(
        task.estimator,
        moment(notion, measure, bounds[0]),
        grid_size=20,
    ).fit(task.X_train, task.y_train, sensitive_features=task.A_train)
    seconds = time.process_time() - start
    figures = [
        figures_of(task.y_train, p.predict(task.X_train), task.A_train, notion, measure)
        for p in search.predictors_
    ]
    for bound in bounds:
        within = [i for i, (_, violation) in enumerate(figures) if violation <= bound]
        if within:
            best = max(within, key=lambda i: figures[i][0])
            yield bound, search.predictors_[best].predict(task.X_test), seconds, 0.0


def threshold_optimizer(task: Task, notion: str, measure: str, bounds):
    """Exact parity only, and it needs the group at prediction even when the model is blind."""
    from fairlearn.postprocessing import ThresholdOptimizer

    names = {
        "demographic_parity": "demographic_parity",
        "equal_opportunity": "true_positive_rate_parity",
        "predictive_equality": "false_positive_rate_parity",
        "equalized_odds": "equalized_odds",
    }
    if not task.aware or measure == "ratio" or notion not in names:
        return
    start = time.process_time()
    model = ThresholdOptimizer(
        estimator=task.estimator,
        constraints=names[notion],
        predict_method="predict_proba",
    ).fit(task.X_train, task.y_train, sensitive_features=task.A_train)
    seconds = time.process_time() - start
    predicted = model.predict(task.X_test, sensitive_features=task.A_test, random_state=0)
    yield 0.0, predicted, seconds, seconds


def oxonfair(task: Task, notion: str, measure: str, bounds):
    """OxonFair with a third of the training rows for tuning.

    It bounds pairs of groups, where others bound each group and the population. Blind, it has a
    model of the group in place of the group.
    """
    from oxonfair import DataDict, FairPredictor
    from oxonfair import group_metrics as gm

    rates = {
        "demographic_parity": gm.pos_pred_rate,
        "equal_opportunity": gm.recall,
        "predictive_equality": gm.false_pos_rate,
        "accuracy_parity": gm.accuracy,
    }
    if notion in rates:
        rate = rates[notion]
        constraint = rate.max_diff if measure == "difference" else rate.min_ratio
    elif measure == "difference":
        constraint = gm.equalized_odds_max
    else:
        return
    start = time.process_time()
    X, X_tune, y, y_tune, A, A_tune = train_test_split(
        task.X_train, task.y_train, task.A_train, test_size=1 / 3, random_state=0
    )
    model = clone(task.estimator).fit(X, y)
    if task.aware:
        inferred = False
    else:
        group_model = clone(task.estimator).fit(X, np.unique(A, return_inverse=True)[1])
        # It stumbles over groups that are never the likeliest of a row.
        likeliest = np.unique(group_model.predict(X_tune))

        def inferred(X):
            return group_model.predict_proba(X)[:, likeliest]

    tune = DataDict(y_tune, X_tune, A_tune)
    # "threshold" would put rows without a clear group aside, and did worse.
    fair = FairPredictor(model, tune, inferred_groups=inferred, threshold=0)
    fair.compute_frontier(gm.accuracy, constraint, True, constraint.greater_is_better)
    seconds = time.process_time() - start
    test = DataDict(task.y_test, task.X_test, task.A_test)
    for bound in bounds:
        start = time.process_time()
        fair.fit(gm.accuracy, constraint, bound, recompute=False)
        more = time.process_time() - start
        yield bound, np.asarray(fair.predict(test)).astype(int), seconds, more


OURS = {
    "fairsk post": lambda *a: post_processor(*a),
    "fairsk post, programs": without_search,
    "fairsk post, probabilities": lambda *a: post_processor(*a, constrain="probabilities"),
    "fairsk post, halves": lambda *a: post_processor(*a, constrain="probabilities", cv=0.5),
    "fairsk in": in_training,
}
# Without the ablation, which is run when asked for, and no part of the front.
FRONT = ("base", *(name for name in OURS if name != "fairsk post, programs"))
PEERS = {
    "fairlearn EG": exponentiated_gradient,
    "fairlearn GridSearch": grid_search,
    "fairlearn ThresholdOpt": threshold_optimizer,
    "OxonFair": oxonfair,
}


# ------------------------------------------------------------------ figures


def figures_of(y, predicted, groups, notion, measure) -> tuple[float, float]:
    violation = fairness_violation(
        y, predicted, sensitive_features=groups, notion=notion, measure=measure, empty="skip"
    )
    return float(np.mean(predicted == y)), violation


def run_cell(name, n_features, aware, notion, measure, seeds, methods):
    """Figures by method, bound and seed: accuracy, violation, CPU s, CPU s more."""
    results = defaultdict(lambda: defaultdict(dict))
    bounds = TOLERANCES[n_features] if measure == "difference" else LEVELS
    for seed in range(seeds):
        task = make_task(name, n_features, aware, seed)
        for method, function in methods.items():
            try:
                for bound, predicted, *seconds in function(task, notion, measure, bounds):
                    figures = figures_of(task.y_test, predicted, task.A_test, notion, measure)
                    results[method][bound][seed] = (*figures, *seconds)
            except Exception as error:
                if method not in PEERS:
                    raise
                print(f"  {method} failed on seed {seed}: {type(error).__name__}: {error}"[:150])
    return results


def mean_figures(by_seed, without=None):
    """Means over the splits; None if a split is left out that was the only one."""
    rows = [row for seed, row in by_seed.items() if seed != without]
    return np.mean(rows, axis=0) if rows else None


def front(results, methods, measure, without=None):
    """Concave front of the means over splits: (cost, accuracy), by cost."""
    points = []
    for method in methods:
        for by_seed in results.get(method, {}).values():
            means = mean_figures(by_seed, without)
            if means is not None:
                points.append((cost_of(means[1], measure), means[0]))
    points.sort(key=lambda p: (p[0], -p[1]))
    hull = []
    for point in points:
        if hull and point[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and _above(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def cost_of(violation, measure):
    return violation if measure == "difference" else 1 - violation


def _above(a, b, c) -> bool:
    """Whether the chord from a to c passes above b."""
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])


def lead(results, by_seed, measure, without=None):
    """Our accuracy at a peer's violation minus the peer's, and whether we reach that violation."""
    means = mean_figures(by_seed, without)
    if means is None:
        return np.nan, True
    cost = cost_of(means[1], measure)
    costs, accuracies = zip(*front(results, FRONT, measure, without), strict=True)
    # Constant beyond either end: the front's ends are its best points there.
    return float(np.interp(cost, costs, accuracies) - means[0]), cost >= costs[0]


def lead_error(results, by_seed, measure):
    """Standard error of `lead` by the jackknife over splits."""
    seeds = sorted(
        {seed for bounds in results.values() for rows in bounds.values() for seed in rows}
    )
    if len(seeds) < 2:
        return np.nan
    leads = [lead(results, by_seed, measure, without=seed)[0] for seed in seeds]
    return float(np.sqrt((len(seeds) - 1) * np.var(leads)))


def _standard_error(values) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def print_cell(title, results, measure):
    """Print the table of a cell; returns (lead, standard error) of every comparison."""
    comparisons = []
    worst = "violation" if measure == "difference" else "ratio"
    print(f"\n{title}")
    print(
        f"  {'method':28s} {'bound':>6s} {'accuracy':>9s} {'(se)':>8s} {worst:>9s} "
        f"{'cpu s':>7s} {'more':>6s}   ours - peer (se)"
    )
    for method, by_bound in results.items():
        for bound, by_seed in by_bound.items():
            accuracy, violation, seconds, more = mean_figures(by_seed)
            error = _standard_error([row[0] for row in by_seed.values()])
            text = (
                f"  {method:28s} {bound:6.3f} {accuracy:9.4f} ({error:.4f}) {violation:9.4f} "
                f"{seconds:7.2f} {more:6.2f}"
            )
            if method in PEERS:
                difference, reached = lead(results, by_seed, measure)
                standard_error = lead_error(results, by_seed, measure)
                comparisons.append((difference, standard_error))
                text += f"   {difference:+.4f} ({standard_error:.4f})"
                text += "" if reached else "  below our smallest violation"
            print(text, flush=True)
    return comparisons


def print_summary(comparisons, n_splits):
    """How many comparisons are beyond two standard errors, and beyond the 95 % interval."""
    if not comparisons:
        return
    difference, error = np.array(comparisons).T
    print(f"\n{len(difference)} comparisons with peers, mean lead {difference.mean():+.4f}")
    # The error of a few splits is itself uncertain: of five, 95 % are within 2.8 of it.
    for name, width in (
        ("two standard errors", 2.0),
        ("95 % interval (Student's t)", float(stats.t.ppf(0.975, max(n_splits - 1, 1)))),
    ):
        above, below = (difference > width * error).sum(), (difference < -width * error).sum()
        print(f"  beyond {name}: {above} above, {below} below")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["compas", "adult"])
    parser.add_argument("--features", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--settings", nargs="+", default=["blind", "aware"])
    parser.add_argument("--notions", nargs="+", default=list(NOTIONS))
    parser.add_argument("--measures", nargs="+", default=["difference", "ratio"])
    parser.add_argument("--methods", nargs="+", default=[*FRONT, *PEERS])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    everything = {"base": base, **OURS, **PEERS}
    methods = {name: everything[name] for name in options.methods}
    comparisons = []
    for name in options.data:
        for n_features in options.features:
            for setting in options.settings:
                for measure in options.measures:
                    for notion in options.notions:
                        start = time.perf_counter()
                        results = run_cell(
                            name,
                            n_features,
                            setting == "aware",
                            notion,
                            measure,
                            options.seeds,
                            methods,
                        )
                        groups = "one feature" if n_features == 1 else "four groups"
                        title = f"{name}, {groups}, {setting}, {notion}, {measure}"
                        seconds = time.perf_counter() - start
                        comparisons += print_cell(
                            f"{title}  ({options.seeds} seeds, {seconds:.0f} s)", results, measure
                        )
    print_summary(comparisons, options.seeds)


if __name__ == "__main__":
    main()
