"""FairIF beside plain training, reweighing with true groups, and training twice.

    FAIRSK_DATA=folder python benchmarks/fairif.py --quick     # some ten minutes on one core
    FAIRSK_DATA=folder python benchmarks/fairif.py             # an hour or two
    FAIRSK_DATA=folder python benchmarks/fairif.py --only cimnist --all-rows # an hour
    FAIRSK_DATA=folder python benchmarks/fairif.py --only cimnist --paper    # a day

Three parts, each mean (standard error) over seeds on test rows:

- cimnist: odd against even digits on a blue or red background, with the paper's three biases (the
  shares of its table 5) and an MLP with 64 hidden units. By default 10,000 training rows of 14 x 14
  x 3, 40 epochs; `--all-rows` has the paper's 50,000 of 28 x 28 x 3 and 25 epochs at lr .001, and
  `--paper` its 250 epochs at lr .0002 too. The last table is the group distribution shift with a
  share of the validation rows.
- tabular: Adult (sex) and COMPAS (race) with logistic regression.
- fairface: 2,100 grey thumbnails, gender, groups Black and White as in the paper or all seven; a
  small CNN from random weights and from weights trained before on the age of the same rows.

Accuracy and AD are in points. For more than two groups, AD, AOD and EOD are those of the two
extreme groups. Methods: "reweighing" (Kamiran and Calders) needs the groups of all training rows;
"train twice" (Liu et al. 2021) needs none and multiplies the weight of rows that a model of a few
epochs gets wrong; "FairIF" needs those of the validation rows, with its damping given; "FairIF
tuned" tries four dampings and keeps the lowest objective on them. "slope" is that of achieved
against predicted change of the smooth gaps on the validation rows, over seeds; "s" is CPU seconds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fairsk import FairICPClassifier, InfluenceReweighter, SharedRowsWarning
from fairsk.base import SensitiveFeaturesWarning
from fairsk.datasets import load_adult, load_compas, load_fairface, make_ci_mnist

DAMPINGS = (0.01, 0.1, 1.0)
N_DIGITS = 70_000
# Table 1 of the paper: accuracy, AD, AOD, EOD.
PAPER = {
    "group size": ((97.78, 1.13, 0.0127, 0.0114), (98.20, 0.29, 0.0001, 0.0001)),
    "group distribution shift": ((98.53, 0.13, 0.0223, 0.0335), (98.69, 0.05, 0.0131, 0.0259)),
    "class size": ((97.81, 0.28, 0.0068, 0.0054), (97.92, 0.06, 0.0024, 0.0032)),
}
Split = dict[str, Any]


# ------------------------------------------------------------------------ data


def split_rows(X: np.ndarray, y: np.ndarray, s: np.ndarray, sizes: tuple, seed: int) -> Split:
    """Training, validation and test rows, with the same shares of every cell."""
    cells = 2 * s + y
    n_train, n_val, n_test = sizes
    rest, test = train_test_split(
        np.arange(len(y)), test_size=n_test, stratify=cells, random_state=seed
    )
    train, val = train_test_split(
        rest, train_size=n_train, test_size=n_val, stratify=cells[rest], random_state=seed
    )
    parts = {"train": train, "val": val, "test": test}
    return {name: (X[rows], y[rows], s[rows]) for name, rows in parts.items()}


def ci_mnist(bias: str, sizes: tuple, side: int, seed: int) -> Split:
    """Coloured digits: y = 1 for even, s = 1 for red, shares of the cells as in table 5."""
    n_rows = None if sum(sizes) == N_DIGITS else sum(sizes)
    X, y, colour = make_ci_mnist(n_rows, bias=bias.replace(" ", "_"), side=side, random_state=seed)
    s = (colour[:, 0] == "red").astype(int)
    share = np.array(sizes) * len(y) // sum(sizes)
    return split_rows(X, y, s, tuple(int(v) for v in share), seed)


def tabular(name: str, quick: bool, seed: int) -> Split:
    loader, column = {"Adult": (load_adult, 0), "COMPAS": (load_compas, 0)}[name]
    X, y, A = loader(return_X_y=True)
    if quick and len(y) > 12_000:
        rows = np.random.default_rng(0).permutation(len(y))[:12_000]
        X, y, A = X[rows], y[rows], A[rows]
    _, s = np.unique(A[:, column].astype(str), return_inverse=True)
    X = StandardScaler().fit_transform(np.asarray(X, dtype=float))
    n = len(y)
    return split_rows(X, np.asarray(y, int), s, (n // 2, n // 4, n // 4), seed)


def fairface(all_races: bool, seed: int) -> tuple[Split, np.ndarray, np.ndarray]:
    """Thumbnails; and all rows of training with their age band, to pretrain on."""
    data = load_fairface(target="age", sensitive_features=("race", "gender"))
    names = load_fairface(target="race").target_names
    X, age = data.data - np.float32(0.5), data.target.astype(np.float32)
    race = np.array([names.index(name) for name in data.sensitive_features[:, 0]])
    y = (data.sensitive_features[:, 1] == "male").astype(int)
    keep = np.full(len(y), True) if all_races else race < 2
    X, y, race, age = X[keep], y[keep], race[keep], age[keep]
    n = len(y)
    tagged = np.column_stack([X, age])
    split = split_rows(tagged, y, race, (n // 2, n // 4, n // 4), seed)
    ages = split["train"][0][:, -1].astype(int)
    plain = {name: (part[0][:, :-1], part[1], part[2]) for name, part in split.items()}
    return plain, plain["train"][0], ages


# --------------------------------------------------------------------- methods


def quiet_fit(model: Any, X: np.ndarray, y: np.ndarray, **given: Any) -> Any:
    with warnings.catch_warnings():
        for category in (SensitiveFeaturesWarning, ConvergenceWarning, SharedRowsWarning):
            warnings.simplefilter("ignore", category)
        return clone(model).fit(X, y, **given)


def reweighing(base: Any, split: Split) -> Any:
    X, y, s = split["train"]
    weight = np.zeros(len(y))
    for label in (0, 1):
        for group in np.unique(s):
            cell = (y == label) & (s == group)
            weight[cell] = np.mean(y == label) * np.mean(s == group) / max(np.mean(cell), 1e-12)
    return quiet_fit(base, X, y, sample_weight=weight)


def train_twice(base: Any, split: Split, factor: float) -> Any:
    X, y, _ = split["train"]
    short = clone(base)
    if "max_epochs" in short.get_params():
        short.set_params(max_epochs=max(1, base.max_epochs // 10))
    wrong = quiet_fit(short, X, y).predict(X) != y
    return quiet_fit(base, X, y, sample_weight=np.where(wrong, factor, 1.0))


def fairif(base: Any, split: Split, share: float = 1.0, **settings: Any) -> Any:
    X_val, y_val, s_val = split["val"]
    if share < 1:
        rows, _ = train_test_split(
            np.arange(len(y_val)), train_size=share, stratify=2 * s_val + y_val, random_state=0
        )
        X_val, y_val, s_val = X_val[rows], y_val[rows], s_val[rows]
    model = InfluenceReweighter(base, random_state=0, **settings)
    given = {"X_val": X_val, "y_val": y_val, "sensitive_features_val": s_val}
    return quiet_fit(model, *split["train"][:2], **given)


def methods(dampings: tuple, **settings: Any) -> dict[str, Callable]:
    found: dict[str, Callable] = {
        "plain": lambda base, split: quiet_fit(base, *split["train"][:2]),
        "reweighing, true groups": reweighing,
        "train twice, x 5": partial(train_twice, factor=5.0),
        "train twice, x 10": partial(train_twice, factor=10.0),
    }
    for damping in dampings:
        found[f"FairIF, damping {damping:g}"] = partial(fairif, damping=damping, **settings)
    found["FairIF tuned"] = partial(fairif, damping=(*DAMPINGS, 10.0), **settings)
    found["FairIF tuned, 3 rounds"] = partial(fairif, damping=DAMPINGS, n_rounds=3, **settings)
    return found


def mlp(epochs: int, lr: float) -> Any:
    return FairICPClassifier(
        hidden_layer_sizes=(64,), mu=0.0, max_epochs=epochs, lr=lr, weight_decay=1e-3,
        random_state=0,
    )  # fmt: skip


def cnn(n_inputs: int, n_outputs: int) -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(
        nn.Unflatten(1, (1, 32, 32)),
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 32), nn.ReLU(), nn.Linear(32, n_outputs),
    )  # fmt: skip


def pretrained(X: np.ndarray, age: np.ndarray, epochs: int) -> torch.nn.Module:
    """The CNN trained on age bands, with a fresh head."""
    labels = np.unique(age, return_inverse=True)[1]
    n_bands = int(labels.max()) + 1
    on_age = FairICPClassifier(
        lambda n_inputs, n_outputs: cnn(n_inputs, n_bands), mu=0.0, max_epochs=epochs,
        random_state=0,
    )  # fmt: skip
    module = quiet_fit(on_age, X, labels).module_
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module[-1] = torch.nn.Linear(32, 1)
    return module


# --------------------------------------------------------------------- figures


def figures(model: Any, split: Split) -> list[float]:
    """Accuracy, AD (points), AOD, EOD on the test rows."""
    X, y, s = split["test"]
    right = model.predict(X) == y
    groups = np.unique(s)
    accuracy = [right[s == g].mean() for g in groups]
    tpr, tnr = ([right[(s == g) & (y == label)].mean() for g in groups] for label in (1, 0))
    AD, EOD, TND = np.ptp(accuracy), np.ptp(tpr), np.ptp(tnr)
    return [100 * right.mean(), 100 * AD, (EOD + TND) / 2, EOD]


def slope_of(models: list) -> str:
    if not isinstance(models[0], InfluenceReweighter):
        return ""
    first = [(m.predicted_gap_ - m.gap_, m.achieved_gap_ - m.gap_) for m in models]
    predicted, achieved = (np.concatenate(part) for part in zip(*first, strict=True))
    if not predicted.any():
        return "-"
    return f"{predicted @ achieved / (predicted @ predicted):.2f}"


def table(title: str, rows: dict[str, Callable], make: Callable, seeds: int) -> None:
    print(f"\n{title}\n{'':26}{'accuracy':>14}{'AD':>14}{'AOD':>15}{'EOD':>15}{'slope':>7}{'s':>7}")
    data = [make(seed) for seed in range(seeds)]
    for name, method in rows.items():
        start = time.process_time()
        models = [method(base, split) for base, split in data]
        seconds = (time.process_time() - start) / seeds
        values = np.array([figures(m, split) for m, (_, split) in zip(models, data, strict=True)])
        mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(seeds)
        cells = [f"{m:8.2f} ({e:.2f})" for m, e in zip(mean[:2], error[:2], strict=True)]
        cells += [f"{m:8.3f} ({e:.3f})" for m, e in zip(mean[2:], error[2:], strict=True)]
        print(f"{name:26}{''.join(cells)}{slope_of(models):>7}{seconds:7.1f}", flush=True)


def run_cimnist(arguments: argparse.Namespace) -> None:
    sizes, side, epochs, lr = (10_000, 2_500, 5_000), 14, 40, 1e-3
    if arguments.quick:
        sizes, epochs = (5_000, 1_500, 5_000), 15
    if arguments.all_rows or arguments.paper:
        sizes, side, epochs = (50_000, 10_000, 10_000), 28, 25
    if arguments.paper:
        epochs, lr = 250, 2e-4
    dampings = (0.1,) if arguments.quick else DAMPINGS[1:] if arguments.all_rows else DAMPINGS
    rows = methods(dampings, l2=0.1)
    if arguments.all_rows:  # an hour, not four
        for name in ("train twice, x 10", "FairIF tuned", "FairIF tuned, 3 rounds"):
            del rows[name]

    def make(bias: str, seed: int) -> tuple:
        return mlp(epochs, lr), ci_mnist(bias, sizes, side, seed)

    for bias, reference in PAPER.items():
        table(f"CI-MNIST, {bias}", rows, partial(make, bias), arguments.seeds)
        for name, row in zip(("the paper's plain", "the paper's FairIF"), reference, strict=True):
            cells = f"{row[0]:8.2f}{'':7}{row[1]:8.2f}{'':7}{row[2]:8.4f}{'':7}{row[3]:8.4f}"
            print(f"{name:26}{cells}")
    shares = {
        f"FairIF, {share:.0%} of rows": partial(fairif, share=share, damping=0.1)
        for share in (1.0, 0.5, 0.25, 0.1)
    }
    title = f"CI-MNIST, group distribution shift, share of {sizes[1]:,} validation rows"
    table(title, shares, partial(make, "group distribution shift"), arguments.seeds)


def run_tabular(arguments: argparse.Namespace) -> None:
    for name in ("Adult", "COMPAS"):
        base = LogisticRegression(max_iter=1_000)
        rows: dict[str, Callable] = dict(list(methods(()).items())[:4])
        for l2 in (0.1, 0.01):
            rows[f"FairIF, l2 {l2:g}"] = partial(fairif, l2=l2)
            rows[f"FairIF, l2 {l2:g}, 3 rounds"] = partial(fairif, l2=l2, n_rounds=3)
        rows["FairIF, temperature .2"] = partial(fairif, l2=0.01, n_rounds=3, temperature=0.2)
        rows["FairIF, Gumbel 1"] = partial(fairif, l2=0.01, n_rounds=3, surrogate="gumbel")

        def make(seed: int, name: str = name, base: Any = base) -> tuple:
            return base, tabular(name, arguments.quick, seed)

        table(f"{name}, logistic regression", rows, make, arguments.seeds)


def run_fairface(arguments: argparse.Namespace) -> None:
    epochs = 20 if arguments.quick else 80
    for all_races in (False, True):
        for start in ("random", "pretrained"):

            def make(seed: int, start: str = start, all_races: bool = all_races) -> tuple:
                split, X, age = fairface(all_races, seed)
                module: Any = cnn if start == "random" else pretrained(X, age, epochs)
                base = FairICPClassifier(
                    module, mu=0.0, max_epochs=epochs, batch_size=32, lr=2e-3, weight_decay=1e-3,
                    random_state=0,
                )  # fmt: skip
                return base, split

            groups = "seven races" if all_races else "Black and White"
            title = f"FairFace, {groups}, CNN from {start} weights"
            rows = methods((0.1,) if arguments.quick else DAMPINGS)
            if arguments.quick:  # a CNN takes its time
                for name in ("train twice, x 10", "FairIF tuned", "FairIF tuned, 3 rounds"):
                    del rows[name]
            table(title, rows, make, arguments.seeds)


PARTS = {"cimnist": run_cimnist, "tabular": run_tabular, "fairface": run_fairface}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows, epochs and dampings")
    parser.add_argument("--all-rows", action="store_true", help="CI-MNIST with the paper's rows")
    parser.add_argument("--paper", action="store_true", help="CI-MNIST at the paper's size")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=list(PARTS), nargs="*", default=list(PARTS))
    arguments = parser.parse_args()
    for part in arguments.only:
        PARTS[part](arguments)


if __name__ == "__main__":
    main()
