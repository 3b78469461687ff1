"""Rates and disparities of groups, row by row, as the papers define them."""

from __future__ import annotations

from math import nan

CONDITIONS = {
    "selection_rate": lambda y: True,
    "true_positive_rate": lambda y: y == 1,
    "false_positive_rate": lambda y: y == 0,
    "error_rate": lambda y: True,
}
NOTION_RATES = {
    "demographic_parity": ("selection_rate",),
    "equal_opportunity": ("true_positive_rate",),
    "predictive_equality": ("false_positive_rate",),
    "accuracy_parity": ("error_rate",),
    "equalized_odds": ("true_positive_rate", "false_positive_rate"),
    "overall_equal_opportunity": ("false_positive_rate",),
}


def naive_rate(name, y, h, w, rows):
    """Weighted mean of the event that the rate counts, among the rows that it is conditional on."""
    above = below = 0.0
    for i in rows:
        if CONDITIONS[name](y[i]):
            event = (h[i] if y[i] == 0 else 1 - h[i]) if name == "error_rate" else h[i]
            above += w[i] * event
            below += w[i]
    return above / below if below else nan


def naive_disparities(notion, y, h, w, families, measure, contrast):
    """List of disparities by rate, family and group; families are lists of group labels or None."""
    result = []
    for name in NOTION_RATES[notion]:
        for labels in families:
            known = [i for i, label in enumerate(labels) if label is not None]
            rates = [
                naive_rate(name, y, h, w, [i for i in known if labels[i] == group])
                for group in sorted({labels[i] for i in known})
            ]
            reference = naive_rate(name, y, h, w, known)
            if contrast == "groups":
                reference = min(rates) if measure == "difference" else max(rates)
            result += [r - reference if measure == "difference" else r / reference for r in rates]
    return result
