"""After a fix along one attribute, what happened along every other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fairsk.audit._association import (
    ALTERNATIVES,
    CATEGORICAL_TESTS,
    NOTHING,
    NUMERIC_TESTS,
    Association,
    categories_alike,
    numbers_alike,
)
from fairsk.audit._audited_columns import AuditedColumn, audited_columns, names_of
from fairsk.audit._families import check_max_intersection, check_min_group_size
from fairsk.audit._gaps import GroupValues, gap_change
from fairsk.audit._gerrymandering_report import GerrymanderingReport
from fairsk.audit._models import check_response
from fairsk.audit._outcomes import Outcome, counts_errors, make_outcome, resolve_rate
from fairsk.audit._render import Record
from fairsk.metrics import check_confidence, check_weight
from fairsk.notions import GroupRate
from fairsk.utils import adjust_benjamini_hochberg, adjust_holm, check_same_rows

WIDER, NARROWER, ALIKE = "wider", "narrower", "not distinguishable"


def gerrymandering_audit(
    estimator_or_predictions: Any,
    X: Any = None,
    y: Any = None,
    *,
    columns: Any,
    baseline: Any = None,
    fixed: str | Sequence[str] | None = None,
    rate: str | GroupRate = "error_rate",
    max_intersection: int = 2,
    min_group_size: int = 30,
    numeric: Any = "auto",
    n_bins: int = 4,
    categorical_test: str = "auto",
    numeric_test: str = "t",
    alternative: str = "two-sided",
    prediction_features: Any = None,
    threshold: float | None = None,
    pos_label: Any = None,
    sample_weight: Any = None,
    confidence: float = 0.95,
    n_permutations: int = 9999,
    random_state: int | None = 0,
) -> GerrymanderingReport:
    """Look along every column and intersection for who pays for fairness along one.

    *With a baseline*: which rows change sides between the baseline and the model, and are those
    that rise (for the error rate: from right to wrong) and those that fall (from wrong to right)
    alike in every column? This is the paper's two-sample test: of the images that its margins
    turned wrong 6.3 % showed dark-skinned people, of those turned right 3.8 %. Beside it, the gap
    between groups before and after, whose change has an interval.

    *Without one*: do the rows that count in the rate (errors, positive decisions) and those that do
    not differ in any column? Give labels as predictions with ``rate="selection_rate"`` to audit
    the labels themselves.

    Every column and intersection is one hypothesis, and every subgroup against all others another;
    the p-values of either table are adjusted for all of it but the fixed columns.

    Parameters
    ----------
    estimator_or_predictions : estimator or array-like of shape (n_samples,)
        The fair model, or the only one.
    X : array-like of shape (n_samples, n_features), optional
        Needed for estimators.
    y : array-like of shape (n_samples,), optional
        Labels; of any number of classes for the error rate. Not needed for
        ``rate="selection_rate"``.
    columns : array-like of shape (n_samples, n_columns)
        What to look along: sensitive features and any others, groups and numbers. Where a value is
        missing the row is left out of that column.
    baseline : estimator or array-like of shape (n_samples,), optional
        The model before the fix.
    fixed : str or sequence of str, optional
        The columns that the fix was for. They are shown first and are no hypothesis; their
        intersections with others are.
    rate : str or GroupRate, default="error_rate"
        ``"error_rate"``, ``"selection_rate"``, ``"true_positive_rate"`` (among positives) or
        ``"false_positive_rate"`` (among negatives).
    max_intersection : int, default=2
        How many columns are crossed at most.
    min_group_size : int, default=30
        Smaller groups are left out, with a count of them.
    numeric : "auto" or sequence of str, default="auto"
        Which columns are numbers; by default those with many distinct numbers. They are tested as
        numbers, and cut into groups for subgroups and intersections.
    n_bins : int, default=4
        Quantile groups of a number.
    categorical_test : {"auto", "permutation", "chi-square", "t"}, default="auto"
        "auto" is the chi-square test, or the exact one where a count of less than five is
        expected; "t" the paper's t-test of proportions (subgroups and columns of two groups).
        Weights call for a Wald test.
    numeric_test : {"t", "rank"}, default="t"
        Welch's t-test, or Mann and Whitney's.
    alternative : {"two-sided", "greater"}, default="two-sided"
        "greater" is the paper's one-sided test, of subgroups and numbers: more of the group (or
        larger) among the rows that rise.
    prediction_features : array-like, optional
        Sensitive features for models that use them to predict.
    threshold, pos_label
        As in `fairness_report`.
    sample_weight : array-like of shape (n_samples,), optional
    confidence : float in (0, 1), default=0.95
        With which all changes of gaps lie in their intervals together.
    n_permutations : int, default=9999
        Of the exact test; the smallest p-value it can give is ``1 / (n_permutations + 1)``.
    random_state : int or None, default=0

    Returns
    -------
    GerrymanderingReport
        Its tables are sorted: fixed columns, then what is significant, then by effect size.

    Raises
    ------
    ValueError
        Before any work: if rows do not match, a name or an option is unknown, or the rate needs
        labels that are not there.

    References
    ----------
    Technical Challenges for Training Fair Neural Networks, section 7 and Table 4.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import gerrymandering_audit
    >>> rng = np.random.default_rng(0)
    >>> columns = {"sex": rng.choice(["f", "m"], 4000), "age": rng.choice(["old", "young"], 4000)}
    >>> y = rng.integers(0, 2, 4000)
    >>> def predictions(wrong):
    ...     return np.where(rng.random(4000) < wrong, 1 - y, y)
    >>> before = predictions(np.where(columns["sex"] == "f", 0.3, 0.2))
    >>> after = predictions(np.where(columns["age"] == "old", 0.3, 0.2))
    >>> report = gerrymandering_audit(
    ...     after, y=y, columns=np.column_stack(list(columns.values())), baseline=before
    ... )
    >>> report.significant()[0]
    'sensitive_feature_0 x sensitive_feature_1'
    """
    _check_options(categorical_test, numeric_test, alternative, n_bins, n_permutations)
    check_confidence(confidence)
    check_response("predict", threshold)
    check_min_group_size(min_group_size)
    found_rate = resolve_rate(rate)
    check_same_rows(X=X, y=None if y is None else np.asarray(y), columns=columns)
    check_same_rows(y=y, columns=columns)
    check_same_rows(columns=columns, sample_weight=sample_weight)
    outcome = make_outcome(
        estimator_or_predictions,
        baseline,
        X,
        y,
        found_rate,
        prediction_features,
        {"threshold": threshold, "pos_label": pos_label},
    )
    audited = audited_columns(
        columns,
        n_bins=n_bins,
        max_intersection=check_max_intersection(max_intersection),
        numeric=numeric,
        n_samples=len(outcome.after),
    )
    weight = check_weight(sample_weight)
    if weight is not None:
        outcome = Outcome(outcome.used & (weight > 0), outcome.before, outcome.after)
    audit = _Audit(
        outcome,
        weight,
        min_group_size,
        {
            "test": categorical_test,
            "alternative": alternative,
            "n_permutations": n_permutations,
        },
        numeric_test,
        np.random.default_rng(random_state),
        1 - (1 - confidence) / max(1, len(audited)),
    )
    fixed_names = names_of(fixed, audited)
    tables: dict[str, list[Record]] = {"columns": [], "subgroups": []}
    for column in audited:
        is_fixed = set(column.features) <= set(fixed_names)
        tables["columns"].append(
            {"features": column.name, "fixed": is_fixed, **audit.column(column)}
        )
        tables["subgroups"] += [
            {"features": column.name, "fixed": is_fixed, **row} for row in audit.subgroups(column)
        ]
    for name, rows in tables.items():
        tables[name] = _adjusted_and_sorted(rows, alpha=1 - confidence)
    tested = outcome.tested
    settings = {
        "rate": found_rate.name,
        "paired": baseline is not None,
        "fixed": list(fixed_names),
        "alternative": alternative,
        "confidence": float(confidence),
        "min_group_size": int(min_group_size),
        "n_rows": int(outcome.used.sum()),
        "n_rose": int((tested & outcome.after).sum()),
        "n_fell": int((tested & ~outcome.after).sum()),
        "n_small": sum(row["small"] for row in tables["subgroups"]),
        "sides": _sides(found_rate),
    }
    return GerrymanderingReport(settings, tables)


def _check_options(
    categorical_test: str, numeric_test: str, alternative: str, n_bins: Any, n_permutations: Any
) -> None:
    for name, value, known in (
        ("categorical_test", categorical_test, CATEGORICAL_TESTS),
        ("numeric_test", numeric_test, NUMERIC_TESTS),
        ("alternative", alternative, ALTERNATIVES),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {known}, got {value!r}.")
    for name, number, least in (("n_bins", n_bins, 2), ("n_permutations", n_permutations, 99)):
        if not isinstance(number, int | np.integer) or number < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {number!r}.")


class _Audit:
    """Tests of one column after another."""

    def __init__(
        self,
        outcome: Outcome,
        weight: np.ndarray | None,
        min_group_size: int,
        categorical: dict[str, Any],
        numeric_test: str,
        rng: np.random.Generator,
        confidence: float,
    ) -> None:
        self.outcome, self.weight, self.min_group_size = outcome, weight, min_group_size
        self.categorical, self.numeric_test, self.rng = categorical, numeric_test, rng
        self.confidence = confidence

    # ------------------------------------------------------------------ tests

    def column(self, column: AuditedColumn) -> Record:
        """All groups of a column at once, or its numbers."""
        code, kept = self._large_groups(column)
        known = code >= 0
        found, reason = NOTHING, ""
        if column.numbers is not None:
            rows = self.outcome.tested & ~np.isnan(column.numbers)
            found = numbers_alike(
                self.outcome.after[rows],
                column.numbers[rows],
                weight=self._weight(rows),
                test=self.numeric_test,
                alternative=self.categorical["alternative"],
            )
        elif kept.sum() > 1:
            found = self._categories(self.outcome.tested & known, code, len(kept), omnibus=True)
        if not found.test:
            reason = "one group" if kept.sum() < 2 else "one side only"
        return {
            "numeric": column.numbers is not None,
            **_figures(found),
            **self._gaps(code, kept, column.labels),
            "n_rows": int((self.outcome.tested & known).sum()),
            "n_groups": int(kept.sum()),
            "reason": reason,
        }

    def subgroups(self, column: AuditedColumn) -> list[Record]:
        """Each group of a column against all others."""
        _, kept = self._large_groups(column)
        outcome, known = self.outcome, column.code >= 0
        tested, counted = outcome.tested & known, outcome.used & known
        mass = np.ones(len(known)) if self.weight is None else self.weight
        rose, fell = tested & outcome.after, tested & ~outcome.after
        records = []
        for a, label in enumerate(column.labels):
            inside = column.code == a
            found = NOTHING
            # Of two groups one against the other is the same hypothesis twice.
            if kept[a] and not (kept.sum() == 2 and len(kept) == 2 and a == 0 and self._two_sided):
                found = self._categories(tested, inside.astype(np.intp), 2, omnibus=False)
            records.append(
                {
                    "group": label,
                    "count": int((counted & inside).sum()),
                    "small": bool(not kept[a]),
                    "rate_before": self._rate(outcome.before, counted & inside, mass),
                    "rate": self._rate(outcome.after, counted & inside, mass),
                    "rate_others": self._rate(outcome.after, counted & ~inside, mass),
                    "n_rose": int((rose & inside).sum()),
                    "n_fell": int((fell & inside).sum()),
                    "share_rose": self._rate(inside, rose, mass),
                    "share_fell": self._rate(inside, fell, mass),
                    **_figures(found),
                }
            )
        return records

    @property
    def _two_sided(self) -> bool:
        return self.categorical["alternative"] == "two-sided"

    def _categories(
        self, rows: np.ndarray, code: np.ndarray, n_groups: int, *, omnibus: bool
    ) -> Association:
        options = dict(self.categorical)
        if omnibus:
            options["alternative"] = "two-sided"
        return categories_alike(
            self.outcome.after[rows],
            code[rows],
            n_groups,
            weight=self._weight(rows),
            rng=self.rng,
            **options,
        )

    def _weight(self, rows: np.ndarray) -> np.ndarray | None:
        return None if self.weight is None else self.weight[rows]

    def _large_groups(self, column: AuditedColumn) -> tuple[np.ndarray, np.ndarray]:
        """Codes with small groups unknown, and which groups are large enough."""
        counted = self.outcome.used & (column.code >= 0)
        size = np.bincount(column.code[counted], minlength=len(column.labels))
        kept = size >= max(1, self.min_group_size)
        code = np.where((column.code >= 0) & kept[column.code], column.code, -1)
        return code, kept

    @staticmethod
    def _rate(values: np.ndarray | None, rows: np.ndarray, mass: np.ndarray) -> float:
        if values is None or not mass[rows].any():
            return float("nan")
        return float(np.average(values[rows], weights=mass[rows]))

    # ------------------------------------------------------------------ gaps

    def _gaps(self, code: np.ndarray, kept: np.ndarray, labels: tuple[str, ...]) -> Record:
        """Largest minus smallest rate of a group, before and after."""
        after, before = self._paired_values(code, len(kept))
        record: Record = {"gap_before": float("nan"), "gap": after.gap}
        known = after.defined.sum() > 1
        ends = (np.nanargmin, np.nanargmax)
        lowest, highest = (
            (f"{after.estimate[i]:.3f} {labels[i]}" if known else "")
            for i in ((int(end(after.estimate)) if known else 0) for end in ends)
        )
        change, verdict = (float("nan"),) * 3, ""
        if before is not None:
            record["gap_before"] = before.gap
            change = gap_change(after, before, confidence=self.confidence)
            verdict = ALIKE
            if np.isnan(change[0]):
                verdict = ""
            elif change[1] > 0:
                verdict = WIDER
            elif change[2] < 0:
                verdict = NARROWER
        names = ("change", "change_lower", "change_upper")
        return {
            **record,
            "lowest": lowest,
            "highest": highest,
            **dict(zip(names, change, strict=True)),
            "verdict": verdict,
        }

    def _paired_values(
        self, code: np.ndarray, n_groups: int
    ) -> tuple[GroupValues, GroupValues | None]:
        """Rates of each group under both models; their errors are drawn together."""
        outcome = self.outcome
        n_draws = 2000
        first = outcome.after if outcome.before is None else outcome.before
        pairs = np.column_stack([first, outcome.after]).astype(float)
        estimate = np.full((2, n_groups), np.nan)
        centre, error = estimate.copy(), np.zeros((n_draws, 2, n_groups))
        for a in range(n_groups):
            rows = outcome.used & (code == a)
            if not rows.any():
                continue
            w = np.ones(int(rows.sum())) if self.weight is None else self.weight[rows]
            estimate[:, a] = np.average(pairs[rows], axis=0, weights=w)
            # Half a row that counts under both and half a row under neither, as in the cells.
            values = np.concatenate([pairs[rows], [[0, 0], [1, 1]]])
            w = np.concatenate([w, np.full(2, w.mean() / 2)])
            centre[:, a] = np.average(values, axis=0, weights=w)
            deviation = (values - centre[:, a]) * w[:, None] / w.sum()
            draws = self.rng.multivariate_normal(
                np.zeros(2), deviation.T @ deviation, size=n_draws, method="eigh"
            )
            error[:, :, a] = draws
        before, after = (GroupValues(estimate[s], centre[s], error[:, s]) for s in range(2))
        return after, None if outcome.before is None else before


def _figures(found: Association) -> Record:
    return {
        "effect": found.effect,
        "cohens_d": found.cohens_d,
        "test": found.test,
        "pvalue": found.pvalue,
    }


def _adjusted_and_sorted(rows: list[Record], *, alpha: float) -> list[Record]:
    pvalues = np.array([np.nan if row["fixed"] else row["pvalue"] for row in rows])
    holm, discovery = adjust_holm(pvalues), adjust_benjamini_hochberg(pvalues)
    for row, one, other in zip(rows, holm, discovery, strict=True):
        row["holm"], row["benjamini_hochberg"] = float(one), float(other)

    def rank(row: Record) -> tuple:
        effect = -1.0 if np.isnan(row["effect"]) else row["effect"]
        # A comparison with NaN is false: what was not tested comes last.
        return (not row["fixed"], not row["holm"] <= alpha, row["test"] == "", -effect)

    return sorted(rows, key=rank)


def _sides(rate: GroupRate) -> list[str]:
    """What it means for a row that a rate counts it, and that it does not."""
    if counts_errors(rate):
        return ["turned wrong", "turned right"]
    if min(rate.gain) >= 0:
        return ["turned positive", "turned negative"]
    return ["risen", "fallen"]
