"""Does fairness generalize: gaps between groups on training and on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from fairsk.audit._families import check_min_group_size, family_name
from fairsk.audit._gaps import GroupValues, gap_change, gap_interval
from fairsk.audit._group_metrics import GroupMetric, resolve_metrics
from fairsk.audit._models import UNNAMED, check_response, is_estimator, named_models
from fairsk.audit._render import Record, Report, Section, spoken, with_interval
from fairsk.audit._splits import Split, make_splits
from fairsk.metrics import check_confidence

SPLITS = ("train", "validation", "test")
LARGER, SMALLER, ALIKE, NOT_COMPARED = (
    "larger gap",
    "smaller gap",
    "not distinguishable",
    "not compared",
)
# More groups than this are shown by their lowest and highest values.
MAX_SHOWN = 3
AVERAGE = "average"


class GeneralizationReport(Report):
    """Result of `generalization_report`; printing it shows the paper's table and the verdicts.

    Attributes
    ----------
    settings : dict
    tables : dict of str to list of dict
        ``"gaps"``: of each model, metric, task and split, the largest minus the smallest value of
        a group with its interval, and which groups these are.
        ``"changes"``: of each pair of splits, how much larger the later one's gap is, with its
        interval and the verdict.
        ``"values"``: of each group, the value, its rows, and a reason where it has none.
    """

    main_table: ClassVar[str] = "gaps"

    def overfits(self, *, split: str | None = None, reference: str = "train") -> dict[str, bool]:
        """Which models have, for some metric, a significantly larger gap than on the reference.

        Parameters
        ----------
        split : {"validation", "test"}, optional
            The last one by default.
        reference : {"train", "validation"}, default="train"

        Returns
        -------
        dict of str to bool
            False means that none was found, not that there is none: see the intervals.

        Raises
        ------
        ValueError
            If the two splits are not compared.
        """
        split = self.settings["splits"][-1] if split is None else split
        rows = [
            row
            for row in self.tables["changes"]
            if (row["split"], row["reference"]) == (split, reference)
        ]
        if not rows:
            raise ValueError(
                f"The report does not compare {split!r} with {reference!r}; its splits are "
                f"{self.settings['splits']}."
            )
        return {
            model: any(row["verdict"] == LARGER for row in rows if row["model"] == model)
            for model in self.settings["models"]
        }

    # ------------------------------------------------------------------ for people

    def _sections(self) -> list[Section]:
        families = list(dict.fromkeys(row["features"] for row in self.tables["gaps"]))
        sections = [self._table(features) for features in families]
        sections.append(self._verdicts(len(families) > 1))
        return sections

    def _table(self, features: str) -> Section:
        """The shape of the paper's Table 1; one split below the other where groups are many."""
        values: dict[tuple, dict[str, Record]] = {}
        for row in self.tables["values"]:
            if row["features"] == features:
                key = (row["model"], row["metric"], row["task"], row["split"])
                values.setdefault(key, {})[row["group"]] = row
        gaps = {
            (row["model"], row["metric"], row["task"], row["split"]): row
            for row in self.tables["gaps"]
            if row["features"] == features
        }
        sizes = ", ".join(f"{n:,} {name}" for name, n in self.settings["n_rows"].items())
        title = f"Gaps between groups by {features} ({sizes} rows)"
        groups = list(next(iter(values.values())))
        build = _side_by_side if len(groups) <= MAX_SHOWN else _stacked
        header, rows = build(self.settings["splits"], groups, values, gaps)
        return Section(title, header, rows, self._notes())

    def _verdicts(self, several: bool) -> Section:
        rows = [
            [
                row["model"],
                _what(row["metric"], row["task"]) + (f" by {row['features']}" if several else ""),
                f"{row['split']} - {row['reference']}",
                with_interval(row, "change", signed=True),
                row["verdict"],
            ]
            for row in self.tables["changes"]
        ]
        alone = "Together they are wrong" if self.settings["simultaneous"] else "Each is wrong"
        rate = 1 - self.settings["confidence"]
        notes = [
            f"{LARGER}: fairness on the earlier rows does not carry over. {alone} with probability "
            f"at most {rate:.2g} where the gaps are equal.",
            f"{ALIKE}: the rows do not tell; what is possible is in the interval.",
        ]
        title = "Is the gap larger on held-out rows?"
        return Section(
            title, ["model", "metric", "rows", "change of the gap", "verdict"], rows, notes
        )

    def _notes(self) -> list[str]:
        confidence, notes = self.settings["confidence"], []
        together = "All gaps lie" if self.settings["simultaneous"] else "Each gap lies"
        notes.append(f"{together} in the brackets with {confidence:.3g} confidence.")
        missing = list(
            dict.fromkeys(
                f"{row['group']} on {row['split']}: {row['reason']}"
                for row in self.tables["values"]
                if row["reason"]
            )
        )
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            notes.append(f"Without value, and in no gap: {'; '.join(missing[:5])}{more}.")
        if any(row["small"] for row in self.tables["values"]):
            notes.append(f"* from fewer than {self.settings['min_group_size']} rows.")
        unknown = [f"{n:,} on {name}" for name, n in self.settings["n_unknown"].items() if n]
        if unknown:
            notes.append(f"Rows of unknown group, left out: {', '.join(unknown)}.")
        return notes


def generalization_report(
    estimator: Any,
    train: Any,
    validation: Any = None,
    test: Any = None,
    *,
    metric: Any = "accuracy",
    groups: str = "intersectional",
    response_method: str = "predict",
    threshold: float | None = None,
    pos_label: Any = None,
    min_group_size: int = 30,
    confidence: float = 0.95,
    simultaneous: bool = True,
    n_resamples: int = 10_000,
    random_state: int | None = 0,
) -> GeneralizationReport:
    r"""Compare the gap between groups on training rows with that on held-out rows.

    An overparameterised model fits its training rows whatever the group, so that every gap is
    small there, penalised or not: the paper's Table 1 has training gaps of .002 to .012 in AUC and
    test gaps of .028 to .087. A gap on a small test set is also large by chance alone, since it is
    a maximum; the verdict takes both into account (see `fairsk.audit`): *larger gap* means that
    the interval of the change, held-out minus training, lies above zero.

    The errors of rates and of accuracy come from resampled confusion cells, of the AUC from its
    asymptotic variance, of any other score from a jackknife over 50 blocks of each group's rows.
    They are sampling errors of the rows for the model at hand: what another training run would
    give is not in them.

    Parameters
    ----------
    estimator : estimator, mapping of split to predictions, or dict of these by name
        A fitted model of any kind that the metric takes, or its predictions as
        ``{"train": ..., "test": ...}``; several by name.
    train, validation, test : tuple or mapping
        ``(X, y, sensitive_features)``, with the sample weight as a fourth, or a mapping with the
        names X, y, sensitive_features, sample_weight and prediction_features (what a model that
        uses sensitive features is given, where it is not those of the report). ``y`` may have
        several tasks, which get a line each and their average. At least one held-out split.
    metric : str, callable, scorer, notion or list of these, default="accuracy"
        ``"accuracy"`` (any number of classes), ``"roc_auc"``, a rate or a notion, such as
        ``"true_positive_rate"`` or ``"equalized_odds"`` (its rates); the name of a scikit-learn
        scorer, such as ``"neg_log_loss"``; a scorer; or a function ``f(y_true, y_pred)``, such as a
        loss, which gets scores with ``response_method="predict_proba"``.
    groups : {"intersectional", "independent"}, default="intersectional"
        A gap over all combinations of the sensitive features, or one for each feature.
    response_method, threshold, pos_label
        As in `fairness_report`.
    min_group_size : int, default=30
        Groups of fewer rows are flagged with a star.
    confidence : float in (0, 1), default=0.95
    simultaneous : bool, default=True
        Whether all gaps of the report lie in their intervals together, and all verdicts hold
        together (Bonferroni), or each on its own.
    n_resamples : int, default=10_000
        Draws of the sampling error.
    random_state : int or None, default=0

    Returns
    -------
    GeneralizationReport

    Raises
    ------
    ValueError, TypeError
        Before any work: for splits that are none, rows that do not match, a metric that is unknown
        or compares groups by itself, or a constant sensitive feature.

    References
    ----------
    Technical Challenges for Training Fair Neural Networks, Table 1 and sections 4.1 and 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from fairsk import generalization_report
    >>> rng = np.random.default_rng(0)
    >>> sex = rng.choice(["f", "m"], 2000)
    >>> X = rng.normal(size=(2000, 2))
    >>> noise = rng.random(2000) < np.where(sex == "f", 0.4, 0.1)
    >>> y = (X[:, 0] > 0) ^ noise
    >>> tree = DecisionTreeClassifier(random_state=0).fit(X[:1000], y[:1000])
    >>> report = generalization_report(
    ...     tree, (X[:1000], y[:1000], sex[:1000]), test=(X[1000:], y[1000:], sex[1000:])
    ... )
    >>> report.overfits()
    {'DecisionTreeClassifier': True}
    """
    check_confidence(confidence)
    check_response(response_method, threshold)
    check_min_group_size(min_group_size)
    options = {
        "response_method": response_method,
        "threshold": threshold,
        "pos_label": pos_label,
    }
    metrics = resolve_metrics(metric, options)
    splits = make_splits({"train": train, "validation": validation, "test": test}, groups=groups)
    names = [split.name for split in splits]
    models = named_models({UNNAMED: estimator} if _is_by_split(estimator) else estimator)
    for name, model in models.items():
        _check_model(name, model, splits)
    study = _Study(splits, confidence, simultaneous, n_resamples, random_state, min_group_size)
    for name, model in models.items():
        for one in metrics:
            study.add(name, model, one)
    tables = study.tables()
    settings = {
        "models": list(models),
        "metrics": [one.name for one in metrics],
        "splits": names,
        "confidence": float(confidence),
        "simultaneous": bool(simultaneous),
        "min_group_size": int(min_group_size),
        "n_rows": {split.name: int(split.counted.sum()) for split in splits},
        "n_unknown": {
            split.name: int((split.counted & ~split.groups.known).sum()) for split in splits
        },
    }
    return GeneralizationReport(settings, tables)


def _is_by_split(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and set(value) <= set(SPLITS)
        and not any(is_estimator(item) or isinstance(item, Mapping) for item in value.values())
    )


def _check_model(name: str, model: Any, splits: list[Split]) -> None:
    if isinstance(model, Mapping):
        missing = [split.name for split in splits if model.get(split.name) is None]
        if missing:
            raise ValueError(f"{name} has predictions of {list(model)}, but not of {missing}.")
    elif not is_estimator(model):
        raise TypeError(
            f"{name} must be a fitted estimator, or predictions by split as in "
            f"{{'train': ..., 'test': ...}}; got {type(model).__name__}."
        )
    else:
        without = [split.name for split in splits if split.X is None]
        if without:
            raise ValueError(f"X of {without} is missing: {name} is an estimator, which predicts.")


class _Study:
    """Values of all models first, then intervals at a level that counts all of them."""

    def __init__(
        self,
        splits: list[Split],
        confidence: float,
        simultaneous: bool,
        n_resamples: int,
        random_state: int | None,
        min_group_size: int,
    ) -> None:
        self.splits, self.confidence, self.simultaneous = splits, confidence, simultaneous
        self.n_resamples, self.min_group_size = n_resamples, min_group_size
        self.seeds = np.random.SeedSequence(random_state)
        self.found: dict[tuple[str, str, str], dict[str, GroupValues]] = {}
        self.reasons: dict[tuple, str] = {}

    def add(self, name: str, model: Any, metric: GroupMetric) -> None:
        for split in self.splits:
            given = model[split.name] if isinstance(model, Mapping) else model
            answer = metric.prepare(given, split)
            # Draws of different splits must be independent, whatever the model.
            rng = np.random.default_rng(self.seeds.spawn(1)[0])
            by_task = bool(split.tasks) and metric.by_task
            for t, task in enumerate(split.tasks if by_task else ("",)):
                values, missing = metric.values(
                    answer, split, t if by_task else None, self.n_resamples, rng
                )
                key = (name, metric.name, task)
                self.found.setdefault(key, {})[split.name] = values
                for a, reason in missing.items():
                    self.reasons[*key, split.name, a] = reason

    def tables(self) -> dict[str, list[Record]]:
        groups = self.splits[0].groups
        families = range(len(groups.families))
        n_gaps = len(self.found) * len(families) * len(self.splits)
        pairs = list(combinations(self.splits, 2))
        n_changes = len(self.found) * len(families) * len(pairs)
        tables: dict[str, list[Record]] = {"gaps": [], "changes": [], "values": []}
        for key, of_splits in self.found.items():
            for family in families:
                members = np.flatnonzero(groups.family_of == family)
                labels = groups.families[family].labels
                what = dict(zip(("model", "metric", "task"), key, strict=True))
                what["features"] = family_name(groups.families[family].features)
                parts = {name: values.take(members) for name, values in of_splits.items()}
                for split in self.splits:
                    part = parts[split.name]
                    tables["gaps"].append(
                        {**what, "split": split.name, **self._gap(part, labels, n_gaps)}
                    )
                    tables["values"] += [
                        {
                            **what,
                            "split": split.name,
                            "group": label,
                            "value": float(part.estimate[i]),
                            **self._size(split, family, i),
                            "reason": self.reasons.get((*key, split.name, int(members[i])), ""),
                        }
                        for i, label in enumerate(labels)
                    ]
                tables["changes"] += [
                    {
                        **what,
                        "split": later.name,
                        "reference": earlier.name,
                        **self._change(parts[later.name], parts[earlier.name], n_changes),
                    }
                    for earlier, later in pairs
                ]
        _add_averages(tables)
        return tables

    def _level(self, n_together: int) -> float:
        return 1 - (1 - self.confidence) / (n_together if self.simultaneous else 1)

    def _gap(self, values: GroupValues, labels: tuple[str, ...], n_gaps: int) -> Record:
        gap, lower, upper = gap_interval(values, confidence=self._level(n_gaps))
        known = values.defined.any()
        return {
            "gap": gap,
            "gap_lower": lower,
            "gap_upper": upper,
            "lowest": labels[int(np.nanargmin(values.estimate))] if known else "",
            "highest": labels[int(np.nanargmax(values.estimate))] if known else "",
            "n_groups": int(values.defined.sum()),
        }

    def _change(self, later: GroupValues, earlier: GroupValues, n_changes: int) -> Record:
        change, lower, upper = gap_change(later, earlier, confidence=self._level(n_changes))
        verdict = ALIKE
        if np.isnan(change):
            verdict = NOT_COMPARED
        elif lower > 0:
            verdict = LARGER
        elif upper < 0:
            verdict = SMALLER
        return {"change": change, "change_lower": lower, "change_upper": upper, "verdict": verdict}

    def _size(self, split: Split, family: int, group: int) -> Record:
        count = int((split.counted & (split.groups.codes[:, family] == group)).sum())
        return {"count": count, "small": count < self.min_group_size}


def _add_averages(tables: dict[str, list[Record]]) -> None:
    """After the tasks of a model, the means of their values and gaps, as in the paper's table.

    Figures without an interval: the tasks share rows, and each has its own above.
    """
    for name, fields, keys in (
        ("gaps", ("gap",), ("model", "metric", "features", "split")),
        ("values", ("value",), ("model", "metric", "features", "split", "group")),
    ):
        by_line: dict[tuple, list[Record]] = {}
        for row in tables[name]:
            if row["task"]:
                by_line.setdefault(tuple(row[key] for key in keys), []).append(row)
        for rows in by_line.values():
            mean = {**rows[0], "task": AVERAGE}
            for key in rows[0]:
                if key in fields:
                    mean[key] = float(np.mean([row[key] for row in rows]))
                elif key.endswith(("_lower", "_upper")):
                    mean[key] = float("nan")
                elif key in ("lowest", "highest", "reason"):
                    mean[key] = ""
            position = max(i for i, row in enumerate(tables[name]) if row is rows[-1])
            tables[name].insert(position + 1, mean)


Lines = tuple[list[str], list[list[str]]]


def _side_by_side(
    splits: list[str], groups: list[str], values: dict[tuple, dict], gaps: dict[tuple, Record]
) -> Lines:
    rows = []
    for line in dict.fromkeys(key[:3] for key in gaps):
        cells = [line[0], _what(*line[1:])]
        for split in splits:
            cells += [_value(values[*line, split][group]) for group in groups]
            cells.append(with_interval(gaps[*line, split], "gap"))
        rows.append(cells)
    columns = [f"{split} {name}" for split in splits for name in [*groups, "gap"]]
    return ["model", "metric", *columns], rows


def _stacked(
    splits: list[str], groups: list[str], values: dict[tuple, dict], gaps: dict[tuple, Record]
) -> Lines:
    rows = []
    for key, gap in gaps.items():
        ends = [values[key].get(gap[end]) for end in ("lowest", "highest")]
        named = ["" if row is None else f"{_value(row)} {row['group']}" for row in ends]
        rows.append([key[0], _what(*key[1:3]), key[3], *named, with_interval(gap, "gap")])
    return ["model", "metric", "rows", "lowest", "highest", "gap"], rows


def _what(metric: str, task: str) -> str:
    return f"{spoken(metric)}, {task}" if task else spoken(metric)


def _value(row: Record) -> str:
    if np.isnan(row["value"]):
        return "undefined"
    return f"{row['value']:.3f}{'*' if row['small'] else ''}"
