"""Reports with uncertainty: all notions at once, generalization of fairness, gerrymandering."""

from fairsk.audit._fairness_report import FairnessReport, fairness_report
from fairsk.audit._generalization_report import GeneralizationReport, generalization_report

__all__ = [
    "FairnessReport",
    "GeneralizationReport",
    "fairness_report",
    "generalization_report",
]
