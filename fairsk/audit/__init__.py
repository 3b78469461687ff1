"""Reports with uncertainty: all notions at once, generalization of fairness, gerrymandering."""

from fairsk.audit._fairness_report import FairnessReport, fairness_report

__all__ = [
    "FairnessReport",
    "fairness_report",
]
