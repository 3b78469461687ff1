"""All notions of fairness of one model or several, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from fairsk.audit._families import (
    check_max_intersection,
    check_min_group_size,
    families_of,
    family_name,
)
from fairsk.audit._model_audit import ModelAudit, group_sizes, overall_figures
from fairsk.audit._models import check_response, check_target, decisions_of, named_models
from fairsk.audit._render import Record, Report, Section, spoken, with_interval
from fairsk.metrics import LabelledDecisions, check_confidence, check_weight
from fairsk.notions import FairnessNotion, check_measure, get_notion, list_notions
from fairsk.utils import check_same_rows, check_sensitive_features

# Groups of a table that people read; the rest is in the frame.
MAX_SHOWN = 40


class FairnessReport(Report):
    """Result of `fairness_report`; printing it shows its tables.

    Attributes
    ----------
    settings : dict
        Measure, contrast, confidence, rows, rows of unknown group and so on.
    tables : dict of str to list of dict
        ``"violations"``: of each model, family of groups and notion, the worst disparity with its
        interval, the rate and group where it is, and how many groups were not compared.
        ``"rates"``: of each model, group and rate, the rate and the disparity with intervals, the
        rows that it is conditional on, whether they are few, and a reason where it has no value.
        ``"groups"``: rows, positive rows and base rate of each group.
        ``"models"``: accuracy and selection rate of each model over all rows.
    """

    main_table: ClassVar[str] = "rates"

    def violation(
        self, notion: str, *, features: str | None = None, model: str | None = None
    ) -> float:
        """The worst disparity of a notion.

        Parameters
        ----------
        notion : str
        features : str, optional
            A family of groups, such as ``"sex"`` or ``"race x sex"``; the first by default.
        model : str, optional
            The first by default.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there is no such figure in the report; the message lists what there is.
        """
        rows = self.tables["violations"]
        wanted = {
            "notion": notion,
            "features": rows[0]["features"] if features is None else features,
            "model": rows[0]["model"] if model is None else model,
        }
        for row in rows:
            if all(row[key] == value for key, value in wanted.items()):
                return float(row["violation"])
        known = {key: list(dict.fromkeys(row[key] for row in rows)) for key in wanted}
        raise ValueError(f"The report has no violation of {wanted}; it has {known}.")

    # ------------------------------------------------------------------ for people

    def _sections(self) -> list[Section]:
        models = [row["model"] for row in self.tables["models"]]
        sections = [self._violations(models)]
        sections += [self._rates(model) for model in models]
        last = sections[-1]
        sections[-1] = replace(last, notes=[*last.notes, *self._notes()])
        return sections

    def _violations(self, models: list[str]) -> Section:
        found = {
            (row["features"], row["notion"], row["model"]): row for row in self.tables["violations"]
        }
        keys = list(dict.fromkeys((features, notion) for features, notion, _ in found))
        of_one = len(models) == 1
        rows = [["", "accuracy", *(f"{row['accuracy']:.3f}" for row in self.tables["models"])]]
        rows[0] += [""] if of_one else []
        for features, notion in keys:
            of_models = [found[features, notion, model] for model in models]
            rows.append(
                [features, spoken(notion), *(with_interval(row, "violation") for row in of_models)]
            )
            if of_one:
                rows[-1].append(_where(of_models[0]))
        header = ["groups by", "notion", *models, *(["worst at"] if of_one else [])]
        settings = self.settings
        title = (
            f"Fairness of {len(models)} model{'s' if len(models) > 1 else ''} on "
            f"{settings['n_rows']:,} rows: {_meaning(settings)}"
        )
        return Section(title, header, rows)

    def _rates(self, model: str) -> Section:
        cells: dict[tuple[str, str], dict[str, Record]] = {}
        for row in self.tables["rates"]:
            if row["model"] == model:
                cells.setdefault((row["features"], row["group"]), {})[row["rate"]] = row
        names = list(next(iter(cells.values())))
        rows = []
        for group in self.tables["groups"]:
            of_group = cells[group["features"], group["group"]]
            rows.append(
                [
                    group["features"],
                    group["group"],
                    f"{group['count']:,}{'*' if group['small'] else ''}",
                    f"{group['base_rate']:.3f}",
                    *(_cell(of_group[name]) for name in names),
                ]
            )
        header = ["groups by", "group", "rows", "base rate", *(spoken(name) for name in names)]
        hidden = len(rows) - MAX_SHOWN
        notes = [f"{hidden} more groups in to_frame()."] if hidden > 0 else []
        return Section(f"Rates of {model}", header, rows[:MAX_SHOWN], notes)

    def _notes(self) -> list[str]:
        settings, notes = self.settings, []
        if settings["simultaneous"]:
            notes.append(
                f"Violations of a model hold together with {settings['confidence']:.3g} confidence,"
                f" and so do its rates."
            )
        else:
            notes.append(f"Each interval on its own has {settings['confidence']:.3g} confidence.")
        if any(row["small"] for row in self.tables["rates"]):
            kept = "" if settings["small_groups"] == "flag" else ", and not in the violations"
            notes.append(f"* from fewer than {settings['min_group_size']} rows{kept}.")
        unknown = [f"{n:,} by {name}" for name, n in settings["n_unknown"].items() if n]
        if unknown:
            notes.append(f"Rows of unknown group, left out: {', '.join(unknown)}.")
        missing = sum(row["reason"] != "" for row in self.tables["rates"])
        if missing:
            notes.append(
                "A group without the rows that a rate needs has no value and is in no violation."
            )
        notes += [f"{name} is left out: {why}." for name, why in settings["left_out"].items()]
        if settings["weighted"]:
            notes.append("Rates are weighted; rows are counted.")
        return notes


def fairness_report(
    estimator_or_predictions: Any,
    X: Any = None,
    y: Any = None,
    *,
    sensitive_features: Any,
    notions: str | FairnessNotion | Sequence[str | FairnessNotion] | None = None,
    measure: str = "difference",
    contrast: str = "population",
    max_intersection: int = 2,
    min_group_size: int = 30,
    small_groups: str = "flag",
    response_method: str = "predict",
    threshold: float | None = None,
    pos_label: Any = None,
    prediction_features: Any = None,
    sample_weight: Any = None,
    confidence: float = 0.95,
    simultaneous: bool = True,
    n_resamples: int = 10_000,
    random_state: Any = 0,
) -> FairnessReport:
    """Audit a model, or compare several, by all notions of fairness.

    Each sensitive feature is audited by itself, then every intersection of up to
    ``max_intersection`` of them. The intervals of all violations of a model, over notions and
    groups, hold together; so do those of all its rates. They come from a bootstrap of the
    confusion cells (see `~fairsk.metrics.disparity_intervals`), so that their cost does not grow
    with the rows.

    Parameters
    ----------
    estimator_or_predictions : estimator, array-like of shape (n_samples,) or dict of these
        A fitted classifier or its predictions; several by name. A classifier that uses the
        sensitive features to predict is given them.
    X : array-like of shape (n_samples, n_features), optional
        Needed for estimators.
    y : array-like of shape (n_samples,)
        Two labels of any type, or more with ``pos_label``. Of shape (n_samples, n_tasks) for
        systems of several tasks, which the notions for several tasks join by their maximum.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)
        Groups, in any container. Where one is missing the row's group is unknown, and it is left
        out of the groups by that feature.
    notions : str, FairnessNotion or sequence of these, optional
        All of `fairsk.list_notions` by default (those for several tasks where y has several).
    measure : {"difference", "ratio"}, default="difference"
    contrast : {"population", "groups"}, default="population"
        Each group against all rows of known group, or the groups against each other.
    max_intersection : int, default=2
        How many features are crossed at most; 1 for no intersections.
    min_group_size : int, default=30
        Groups and rates of fewer rows are flagged with a star.
    small_groups : {"flag", "exclude"}, default="flag"
        Whether flagged rates count in the violations. A group of three people can differ from the
        population by anything: with "exclude" the violation is that of the groups large enough to
        tell, and the others are still in the table.
    response_method : {"predict", "predict_proba"}, default="predict"
        Audit labels, or probabilities as randomised decisions.
    threshold : float, optional
        Turns scores (probabilities, else decision values; or the predictions given) into
        decisions: positive from the threshold on.
    pos_label : label, optional
        The positive label; the larger of two by default. With more classes, that class is audited
        against the rest.
    prediction_features : array-like of shape (n_samples,) or (n_samples, n_features), optional
        What models that use sensitive features to predict are given, where it is not
        ``sensitive_features``: a model that knows sex only may be audited by race too.
    sample_weight : array-like of shape (n_samples,), optional
    confidence : float in (0, 1), default=0.95
    simultaneous : bool, default=True
        Whether intervals hold together, or each on its own.
    n_resamples : int, default=10_000
    random_state : int, Generator, RandomState or None, default=0

    Returns
    -------
    FairnessReport
        Prints as a table; see its ``to_frame``, ``to_dict`` and ``to_json``.

    Raises
    ------
    ValueError
        Before any work: if rows do not match, y is continuous or has more classes without a
        ``pos_label``, predictions are scores without a ``threshold``, a sensitive feature is
        continuous, or there are no two groups.

    See Also
    --------
    generalization_report : the same gaps on training and on held-out rows.
    gerrymandering_audit : who paid for a fix.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import fairness_report
    >>> rng = np.random.default_rng(0)
    >>> sex = rng.choice(["f", "m"], 2000)
    >>> y = rng.integers(0, 2, 2000)
    >>> y_pred = rng.random(2000) < np.where(sex == "m", 0.5, 0.4)
    >>> report = fairness_report(
    ...     y_pred.astype(int), y=y, sensitive_features=sex, notions="demographic_parity"
    ... )
    >>> print(report)
    Fairness of 1 model on 2,000 rows: largest |group's rate - population's rate|
    groups by            notion              predictions           worst at
    --------------------------------------------------------------------------------
                         accuracy            0.506
    sensitive_feature_0  demographic parity  0.068 [0.044, 0.091]  f: selection rate
    <BLANKLINE>
    Rates of predictions
    groups by            group  rows   base rate  selection rate
    ------------------------------------------------------------------
    sensitive_feature_0  f      957    0.491      0.393 [0.358, 0.429]
    sensitive_feature_0  m      1,043  0.495      0.523 [0.488, 0.557]
    Violations of a model hold together with 0.95 confidence, and so do its rates.
    """
    check_measure(measure, contrast)
    check_confidence(confidence)
    check_response(response_method, threshold)
    check_min_group_size(min_group_size)
    if small_groups not in ("flag", "exclude"):
        raise ValueError(f"small_groups must be 'flag' or 'exclude', got {small_groups!r}.")
    models = named_models(estimator_or_predictions)
    labels, pos_label = check_target(y, pos_label)
    check_same_rows(X=X, y=labels, sensitive_features=sensitive_features, weight=sample_weight)
    check_same_rows(y=y, sensitive_features=sensitive_features)
    features = check_sensitive_features(sensitive_features, n_samples=len(labels))
    groups, left_out = families_of(
        features, max_intersection=check_max_intersection(max_intersection)
    )
    if prediction_features is None:
        prediction_features = sensitive_features
    check_same_rows(y=labels, prediction_features=prediction_features)
    chosen = _chosen_notions(notions, several_tasks=labels.ndim == 2 and labels.shape[1] > 1)
    weight = check_weight(sample_weight)
    audited = {
        name: LabelledDecisions(
            *decisions_of(
                model,
                X,
                labels,
                prediction_features,
                response_method=response_method,
                threshold=threshold,
                pos_label=pos_label,
                name=name,
            ),
            groups,
            weight,
        )
        for name, model in models.items()
    }
    audit = ModelAudit(
        chosen,
        measure,
        contrast,
        min_group_size,
        small_groups == "exclude",
        confidence,
        simultaneous,
        n_resamples,
        random_state,
    )
    tables: dict[str, list[Record]] = {"violations": [], "rates": [], "groups": [], "models": []}
    for name, inputs in audited.items():
        tables["models"].append(overall_figures(name, inputs))
        rates, violations = audit.of(name, inputs)
        tables["rates"] += rates
        tables["violations"] += violations
    first = next(iter(audited.values()))
    tables["groups"] = group_sizes(first, min_group_size)
    counted = np.ones(len(labels), dtype=bool) if weight is None else weight > 0
    settings = {
        "measure": measure,
        "contrast": contrast,
        "confidence": float(confidence),
        "simultaneous": bool(simultaneous),
        "min_group_size": int(min_group_size),
        "small_groups": small_groups,
        "weighted": weight is not None,
        "n_rows": int(counted.sum()),
        "n_unknown": {
            family_name(family.features): int((counted & (codes < 0)).sum())
            for family, codes in zip(groups.families, groups.codes.T, strict=True)
        },
        "left_out": left_out,
    }
    return FairnessReport(settings, tables)


def _chosen_notions(notions: Any, *, several_tasks: bool) -> list[FairnessNotion]:
    if notions is None:
        known = [get_notion(name) for name in list_notions()]
        return [notion for notion in known if notion.multilabel == several_tasks]
    named = [notions] if isinstance(notions, str | FairnessNotion) else list(notions)
    chosen = [get_notion(notion) for notion in named]
    if not chosen:
        raise ValueError(f"notions is empty; name some of {list_notions()}, or leave it out.")
    single = [notion.name for notion in chosen if not notion.multilabel]
    if several_tasks and single:
        raise ValueError(
            f"y has several tasks, which {single} do not join. Audit each task by itself, or the "
            f"system by {[n for n in list_notions() if get_notion(n).multilabel]}."
        )
    return chosen


def _cell(row: Record) -> str:
    if np.isnan(row["value"]):
        return row["reason"]
    return with_interval(row, "value") + ("*" if row["small"] else "")


def _where(row: Record) -> str:
    if not row["group"]:
        return "no two groups to compare"
    n_missing, flag = row["n_undefined"], "*" if row["small"] else ""
    some = f" ({n_missing} group{'s' if n_missing > 1 else ''} not compared)" if n_missing else ""
    return f"{row['group']}{flag}: {spoken(row['rate'])}{some}"


def _meaning(settings: dict[str, Any]) -> str:
    if settings["measure"] == "difference":
        return {
            "population": "largest |group's rate - population's rate|",
            "groups": "largest minus smallest rate of a group",
        }[settings["contrast"]]
    return {
        "population": "smallest ratio of a group's and the population's rate, either way up",
        "groups": "smallest over largest rate of a group",
    }[settings["contrast"]]
