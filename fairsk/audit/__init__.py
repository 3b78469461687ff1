"""Reports with uncertainty: all notions at once, generalization of fairness, gerrymandering."""

from fairsk.audit._fairness_report import FairnessReport, fairness_report
from fairsk.audit._generalization_report import GeneralizationReport, generalization_report
from fairsk.audit._gerrymandering import gerrymandering_audit
from fairsk.audit._gerrymandering_report import GerrymanderingReport

__all__ = [
    "FairnessReport",
    "GeneralizationReport",
    "GerrymanderingReport",
    "fairness_report",
    "generalization_report",
    "gerrymandering_audit",
]
