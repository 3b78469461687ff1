"""The figures of a fairness report: of one model, over all its groups and notions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fairsk.audit._families import family_name
from fairsk.audit._render import Record
from fairsk.metrics import (
    ContrastIntervals,
    LabelledDecisions,
    contrast_intervals,
    group_intervals,
    group_pairs,
    rate_intervals,
)
from fairsk.notions import FairnessNotion, GroupRate
from fairsk.utils import Groups


class ModelAudit:
    """The figures of one model after another, with the same settings."""

    def __init__(
        self,
        notions: list[FairnessNotion],
        measure: str,
        contrast: str,
        min_group_size: int,
        exclude_small: bool,
        confidence: float,
        simultaneous: bool,
        n_resamples: int,
        random_state: Any,
    ) -> None:
        self.notions, self.measure, self.contrast = notions, measure, contrast
        self.min_group_size, self.exclude_small = min_group_size, exclude_small
        self.sampling = {
            "confidence": confidence,
            "simultaneous": simultaneous,
            "n_resamples": n_resamples,
            "random_state": random_state,
        }
        # Each rate once, so that it does not count twice among what holds together.
        rates: dict[str, GroupRate] = {r.name: r for notion in notions for r in notion.rates}
        self.rates = FairnessNotion("rates of the report", tuple(rates.values()), "")

    def of(self, model: str, inputs: LabelledDecisions) -> tuple[list[Record], list[Record]]:
        """Records of the rates and of the violations."""
        groups = inputs.groups
        report = rate_intervals(inputs, self.rates, **self.sampling)
        found = contrast_intervals(
            inputs.y,
            inputs.decision,
            groups,
            self.rates,
            measure=self.measure,
            contrast=self.contrast,
            sample_weight=inputs.sample_weight,
            **self.sampling,
        )
        _, lower, upper = group_intervals(found, self.contrast, groups.family_of)
        values = self.rates.disparities(inputs.masses, measure=self.measure, contrast=self.contrast)
        values = np.where(np.isnan(lower), np.nan, values)
        records = [
            {
                "model": model,
                "features": family_name(groups.families[family].features),
                "group": groups.labels[a],
                "rate": rate.name,
                "value": float(report.estimates[r, a]),
                "value_lower": float(report.lower[r, a]),
                "value_upper": float(report.upper[r, a]),
                "disparity": float(values[r, a]),
                "disparity_lower": float(lower[r, a]),
                "disparity_upper": float(upper[r, a]),
                "count": int(report.counts[r, a]),
                "small": bool(report.counts[r, a] < self.min_group_size),
                "reason": _reason(rate, report.estimates[r, a], values[r, a]),
            }
            for a, family in enumerate(groups.family_of)
            for r, rate in enumerate(self.rates.rates)
        ]
        small = report.counts < self.min_group_size
        if self.exclude_small:
            found = replace(found, estimate=self._without(found.estimate, small, groups))
            values = np.where(small, np.nan, values)
        violations = [
            self._violation(model, notion, family, found, values, small, groups)
            for family in range(len(groups.families))
            for notion in self.notions
        ]
        return records, violations

    def _without(self, estimate: np.ndarray, small: np.ndarray, groups: Groups) -> np.ndarray:
        """Contrasts in which a rate of few rows takes no part."""
        if self.contrast == "groups":
            left, right = group_pairs(groups.family_of)
            small = small[:, left] | small[:, right]
        return np.where(small, np.nan, estimate)

    def _violation(
        self,
        model: str,
        notion: FairnessNotion,
        family: int,
        found: ContrastIntervals,
        values: np.ndarray,
        small: np.ndarray,
        groups: Groups,
    ) -> Record:
        rates = np.array([self.rates.rate_names.index(name) for name in notion.rate_names])
        members = groups.family_of == family
        contrasts = members
        if self.contrast == "groups":
            contrasts = members[group_pairs(groups.family_of)[0]]
        part = found.part(rates, np.flatnonzero(contrasts))
        worst, lower, upper = part.worst(skip_undefined=True)
        at = np.ix_(rates, np.flatnonzero(members))
        own, where, is_small = values[at], ("", ""), False
        if not np.isnan(worst):
            distance = np.abs(own) if self.measure == "difference" else -_symmetric(own)
            r, a = np.unravel_index(np.nanargmax(distance), own.shape)
            where = (notion.rate_names[r], groups.families[family].labels[a])
            is_small = bool(small[at][r, a])
        return {
            "model": model,
            "features": family_name(groups.families[family].features),
            "notion": notion.name,
            "violation": worst,
            "violation_lower": lower,
            "violation_upper": upper,
            "rate": where[0],
            "group": where[1],
            "small": is_small,
            "n_groups": int(members.sum()),
            "n_undefined": int(np.isnan(own).any(axis=0).sum()),
        }


def overall_figures(model: str, inputs: LabelledDecisions) -> Record:
    """Of all rows, those of unknown group too."""
    weight = inputs.sample_weight
    right = np.where(inputs.y == 1, inputs.decision, 1 - inputs.decision)
    return {
        "model": model,
        "accuracy": float(np.average(right, weights=weight)),
        "selection_rate": float(np.average(inputs.decision, weights=weight)),
    }


def group_sizes(inputs: LabelledDecisions, min_group_size: int) -> list[Record]:
    """Rows, positive rows and base rate of each group; the same for every model."""
    groups, masses = inputs.groups, inputs.masses
    weight = inputs.sample_weight
    kept = np.ones(len(inputs.y)) if weight is None else (weight > 0).astype(float)
    members = groups.indicators()
    count, positive = kept @ members, (kept * inputs.y) @ members
    total = masses.total.sum(axis=0)
    base = np.divide(masses.total[1], total, out=np.full(len(total), np.nan), where=total > 0)
    return [
        {
            "features": family_name(groups.families[family].features),
            "group": groups.labels[a],
            "count": int(count[a]),
            "positives": int(positive[a]),
            "base_rate": float(base[a]),
            "small": bool(count[a] < min_group_size),
        }
        for a, family in enumerate(groups.family_of)
    ]


def _symmetric(ratios: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.minimum(ratios, 1 / ratios)


def _reason(rate: GroupRate, value: float, disparity: float) -> str:
    """Why a figure has no value; empty where it has one."""
    if np.isnan(value):
        needed = {(0, 1): "positive rows", (1, 0): "negative rows"}
        return f"no {needed.get(tuple(rate.condition), 'rows')}"  # type: ignore[arg-type]
    return "no other group to compare with" if np.isnan(disparity) else ""
